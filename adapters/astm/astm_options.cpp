#include "adapters/astm/astm_options.h"

#include "core/text.h"

namespace gateway::adapters::astm {

using core::cat;

profiles::Shelf profile_shelf(const core::Config& config) {
  return {config.text("profiles.shipped_dir"), config.text("profiles.site_dir")};
}

core::Result<std::vector<AstmDevice>> astm_devices(const core::Config& config, core::Files& files) {
  GW_TRY(std::vector<frame::DeviceOptions> options, frame::read_devices(config, "astm"));
  std::vector<AstmDevice> devices;
  for (frame::DeviceOptions& one : options) {
    const std::string key = cat("device.", one.profile.name, ".profile");
    const auto wrong = [&](std::string_view what) {
      return core::Error(core::Code::invalid, cat(config.where(key), ": ", key, ": ", what));
    };
    if (one.model.empty())
      return wrong("an ASTM device needs one; \"generic-astm\" where there is none for the model");
    auto folder = profiles::profile_folder(files, profile_shelf(config), one.model);
    if (!folder.ok()) return wrong(folder.error().message());
    auto profile = profiles::load_profile(files, *folder);
    if (!profile.ok()) return wrong(profile.error().message());
    devices.push_back({std::move(one), std::move(*profile)});
  }
  return devices;
}

}  // namespace gateway::adapters::astm
