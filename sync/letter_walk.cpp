#include "sync/letter_walk.h"

namespace gateway::sync {

core::Result<std::vector<std::int64_t>> letters_behind(crypto::Connection& connection,
                                                       const LetterFilter& filter,
                                                       std::int64_t after, std::size_t count_max) {
  GW_TRY(auto rows, connection.query(
                        "SELECT number FROM message WHERE state <> 'stored' AND number > ?1"
                        " AND digest <> x'' AND (?2 = '' OR device = ?2)"
                        " AND (?3 = '' OR instr(reason, ?3) > 0) ORDER BY number LIMIT ?4",
                        after, filter.device, filter.reason, static_cast<std::int64_t>(count_max)));
  std::vector<std::int64_t> numbers;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return numbers;
    numbers.push_back(rows.integer(0));
  }
}

}  // namespace gateway::sync
