// sim_schedules: runs schedules and says what came of them.
//   sim_schedules [--first S] [--count N] [--mutation NAME]   N schedules from seed S on
//   sim_schedules --seed S [--mutation NAME]                  one schedule, with its trace
//   sim_schedules --replay N                                  N schedules twice: are the traces the
//   same? sim_schedules --mutations N                               each deliberate bug must be
//   found within N
// The last line is one JSON object; exit 1 when anything did not hold.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/log.h"
#include "tests/crypto/fixed_keys.h"
#include "tests/sim/mutations.h"
#include "tests/sim/schedule.h"

namespace gateway::sim {
namespace {

constexpr int kProblemsShown = 5;
constexpr std::uint64_t kBadSeedsShown = 10;

struct Totals {
  std::uint64_t schedules = 0, bad = 0;
  std::int64_t operations = 0, faults = 0, merged = 0, asked = 0, lost = 0, doubled = 0,
               diverged = 0;
};

std::unique_ptr<Ground> make_ground() {
  std::string folder = (std::filesystem::temp_directory_path() / "gateway-sim-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  auto keys = crypto::FixedKeys::open(core::system_files(), folder, core::system_clock());
  if (!keys.ok()) std::abort();
  auto audit = crypto::Audit::create(**keys);
  std::filesystem::remove_all(folder);
  if (!audit.ok()) std::abort();
  return std::unique_ptr<Ground>(new Ground{{}, std::move(*keys), std::move(*audit)});
}

void show(const Verdict& verdict) {
  std::printf("seed %llu does not hold; again with its trace: sim_schedules --seed %llu\n",
              static_cast<unsigned long long>(verdict.seed),
              static_cast<unsigned long long>(verdict.seed));
  int shown = 0;
  for (const std::string& problem : verdict.problems) {
    if (++shown > kProblemsShown) break;
    std::printf("  %s\n", problem.c_str());
  }
}

void add(Totals& totals, const Verdict& verdict) {
  ++totals.schedules;
  totals.operations += verdict.operations;
  totals.faults += verdict.faults;
  totals.merged += verdict.merged;
  totals.asked += verdict.asked;
  totals.lost += verdict.lost;
  totals.doubled += verdict.doubled;
  totals.diverged += verdict.diverged;
  if (!verdict.holds() && ++totals.bad <= kBadSeedsShown) show(verdict);
}

int run(Ground& ground, std::uint64_t first, std::uint64_t count) {
  Totals totals;
  for (std::uint64_t seed = first; seed < first + count; ++seed)
    add(totals, run_schedule(ground, seed, false));
  std::printf(
      "{\"schedules\":%llu,\"operations\":%lld,\"faults\":%lld,\"conflicts\":%lld,"
      "\"merged\":%lld,\"asked\":%lld,\"lost\":%lld,\"doubled\":%lld,\"diverged\":%lld}\n",
      static_cast<unsigned long long>(totals.schedules), static_cast<long long>(totals.operations),
      static_cast<long long>(totals.faults), static_cast<long long>(totals.merged + totals.asked),
      static_cast<long long>(totals.merged), static_cast<long long>(totals.asked),
      static_cast<long long>(totals.lost), static_cast<long long>(totals.doubled),
      static_cast<long long>(totals.diverged));
  return totals.bad == 0 ? 0 : 1;
}

int replay(Ground& ground, std::uint64_t count) {
  std::uint64_t same = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    const std::uint64_t first = run_schedule(ground, seed, false).trace;
    if (run_schedule(ground, seed, false).trace == first) {
      ++same;
    } else {
      std::printf("seed %llu went another way the second time\n",
                  static_cast<unsigned long long>(seed));
    }
  }
  std::printf("{\"schedules\":%llu,\"same_trace\":%llu}\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(same));
  return same == count ? 0 : 1;
}

int hunt(Ground& ground, std::uint64_t count) {
  int found = 0;
  for (const NamedMutation& mutation : kMutations) {
    switch_on(mutation.which);
    std::optional<Verdict> caught;
    for (std::uint64_t seed = 1; seed <= count && !caught; ++seed) {
      Verdict verdict = run_schedule(ground, seed, false);
      if (!verdict.holds()) caught = std::move(verdict);
    }
    if (caught) {
      ++found;
      std::printf("%.*s: found by seed %llu: %s\n", static_cast<int>(mutation.name.size()),
                  mutation.name.data(), static_cast<unsigned long long>(caught->seed),
                  caught->problems.front().substr(0, 160).c_str());
    } else {
      std::printf("%.*s: NOT found in %llu schedules\n", static_cast<int>(mutation.name.size()),
                  mutation.name.data(), static_cast<unsigned long long>(count));
    }
  }
  std::printf("{\"mutations_found\":%d}\n", found);
  return found == static_cast<int>(kMutations.size()) ? 0 : 1;
}

std::optional<Mutation> mutation_named(const std::string& name) {
  for (const NamedMutation& mutation : kMutations) {
    if (mutation.name == name) return mutation.which;
  }
  return std::nullopt;
}

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  const auto number = [&](const char* name, std::uint64_t otherwise) {
    return options.contains(name) ? std::strtoull(options[name].c_str(), nullptr, 10) : otherwise;
  };
  core::set_log_level(core::Level::error);  // the trace says more
  const auto ground = make_ground();
  if (options.contains("--mutation")) {
    const auto mutation = mutation_named(options["--mutation"]);
    if (!mutation) {
      std::fprintf(stderr, "sim_schedules: there is no such mutation\n");
      return 2;
    }
    switch_on(*mutation);
  }
  if (options.contains("--seed")) {
    Verdict verdict = run_schedule(*ground, number("--seed", 1), true);
    std::printf("trace %016llx\n", static_cast<unsigned long long>(verdict.trace));
    for (const std::string& problem : verdict.problems) std::printf("%s\n", problem.c_str());
    return verdict.holds() ? 0 : 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what a run killed half-way found is seen
  if (options.contains("--replay")) return replay(*ground, number("--replay", 10));
  if (options.contains("--mutations")) return hunt(*ground, number("--mutations", 1'000));
  return run(*ground, number("--first", 1), number("--count", 100));
}

}  // namespace
}  // namespace gateway::sim

int main(int argc, char** argv) { return gateway::sim::main(argc, argv); }
