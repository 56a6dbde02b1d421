#include "adapters/filedrop/folder_options.h"

#include "adapters/fields/field_devices.h"
#include "core/text.h"

namespace gateway::adapters::filedrop {

using core::cat;

std::vector<core::ConfigKey> folder_config_keys() {
  using core::KeyType;
  return {
      {.path = "device.*.folder",
       .meaning = "folder: where the device writes its files, an absolute path"},
      {.path = "device.*.settle_s",
       .type = KeyType::integer,
       .meaning = "folder: seconds a file must rest before it is taken",
       .default_text = "2",
       .minimum = 1,
       .maximum = 3'600},
      {.path = "device.*.keep_done_days",
       .type = KeyType::integer,
       .meaning = "folder: days that taken files stay in done/, in plain text; 0: they are removed",
       .default_text = "0",
       .minimum = 0,
       .maximum = 365},
  };
}

core::Result<std::vector<FolderDevice>> folder_devices(const core::Config& config,
                                                       core::Files& files) {
  GW_TRY(auto known, fields::field_devices(config, files, "folder"));
  std::vector<FolderDevice> devices;
  for (fields::FieldDevice& one : known) {
    const std::string table = cat("device.", one.options.profile.name, ".");
    FolderDevice device;
    device.folder = config.text(table + "folder");
    while (device.folder.size() > 1 && device.folder.ends_with('/')) device.folder.pop_back();
    if (!device.folder.starts_with('/') || device.folder == "/") {
      return core::Error(core::Code::invalid, cat(config.where(table + "folder"), ": ", table,
                                                  "folder: write the folder's absolute path"));
    }
    device.quiet = core::Milliseconds(config.integer(table + "settle_s") * 1000);
    device.keep_done =
        core::Milliseconds(config.integer(table + "keep_done_days") * 24 * 3'600 * 1000);
    device.device = std::move(one);
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace gateway::adapters::filedrop
