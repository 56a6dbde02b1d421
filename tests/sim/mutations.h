// Seven deliberate bugs, each one that a gateway of this kind is known to have had. They live in
// this binary only: in the simulated network and database, and in functions of sync/ that the
// linker routes through here (--wrap; tests/sim/CMakeLists.txt).
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace gateway::sim {

enum class Mutation {
  cursor_before_commit,
  no_if_match,
  resend_unread,
  merge_by_index,
  drop_loser,
  reference_first,
  wall_clock_for_order,
};

struct NamedMutation {
  Mutation which;
  std::string_view name;
};
inline constexpr std::array<NamedMutation, 7> kMutations = {{
    {Mutation::cursor_before_commit, "cursor-before-commit"},
    {Mutation::no_if_match, "no-if-match"},
    {Mutation::resend_unread, "resend-unread"},
    {Mutation::merge_by_index, "merge-by-index"},
    {Mutation::drop_loser, "drop-loser"},
    {Mutation::reference_first, "reference-first"},
    {Mutation::wall_clock_for_order, "wall-clock-for-order"},
}};

bool is_on(Mutation mutation);
/// At most one at a time; nothing: the code as it is.
void switch_on(std::optional<Mutation> mutation);

/// Ids are made from this seed from now on, so that a schedule can be repeated.
void seed_ids(unsigned long long seed);

}  // namespace gateway::sim
