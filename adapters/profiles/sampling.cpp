#include "adapters/profiles/sampling.h"

#include <charconv>

#include "core/text.h"

namespace gateway::adapters::profiles {

using core::cat;

std::vector<core::ConfigKey> sampling_keys() {
  using core::KeyType;
  return {
      {.path = "interval_s",
       .type = KeyType::integer,
       .meaning = "seconds between values of one kind that are sent; 0: every one is",
       .default_text = "0",
       .minimum = 0,
       .maximum = 86'400},
      {.path = "change.*.code", .meaning = "a value that may be sent sooner", .required = true},
      {.path = "change.*.by",
       .meaning = "when it differs by as much from the one sent last",
       .required = true},
  };
}

core::Result<Sampling> read_sampling(const core::Config& config) {
  Sampling sampling;
  sampling.interval = core::Milliseconds(config.integer("interval_s") * 1000);
  for (const std::string& name : config.names("change")) {
    const std::string key = cat("change.", name, ".by");
    const std::string text = config.text(key);
    double by = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), by);
    if (code != std::errc() || end != text.data() + text.size() || by <= 0)
      return core::Error(core::Code::invalid, cat(config.where(key), ": ", key, ": is no number"));
    sampling.change[config.text(cat("change.", name, ".code"))] = by;
  }
  return sampling;
}

}  // namespace gateway::adapters::profiles
