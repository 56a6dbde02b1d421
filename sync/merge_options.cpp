#include "sync/merge_options.h"

#include <algorithm>
#include <string>

#include "core/text.h"

namespace gateway::sync {
namespace {

std::string path_of(const ElementGroup& row) {
  std::string group(row.name);
  std::ranges::replace(group, ' ', '_');
  return core::cat("merge.", row.type == "*" ? "any" : row.type, '.', group);
}

}  // namespace

std::vector<core::ConfigKey> merge_config_keys() {
  std::vector<core::ConfigKey> keys;
  for (const ElementGroup& row : policy_table()) {
    if (row.site_may.empty()) continue;
    core::ConfigKey key{.path = path_of(row),
                        .meaning = core::cat("rule for ", row.name, " that both sides changed"),
                        .default_text = core::cat('"', to_string(row.rule), '"'),
                        .choices = {std::string(to_string(row.rule))}};
    for (const Rule rule : row.site_may) key.choices.emplace_back(to_string(rule));
    keys.push_back(std::move(key));
  }
  return keys;
}

core::Result<MergePolicy> merge_policy(const core::Config& config) {
  std::vector<SiteRule> chosen;
  for (const ElementGroup& row : policy_table()) {
    if (!row.site_may.empty())
      chosen.push_back({std::string(row.type), std::string(row.name), config.text(path_of(row))});
  }
  return MergePolicy::for_site(chosen);
}

}  // namespace gateway::sync
