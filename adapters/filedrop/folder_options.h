// A configured drop folder with its profile.
#pragma once

#include <vector>

#include "adapters/fields/field_mapping.h"
#include "core/config.h"
#include "core/files.h"

namespace gateway::adapters::filedrop {

/// The keys of drop folders, beside those of every device.
std::vector<core::ConfigKey> folder_config_keys();

struct FolderDevice {
  fields::FieldDevice device;  // without a model its profile is empty: documents, HL7, DICOM
  std::string folder;
  core::Milliseconds quiet{2'000};
  core::Milliseconds keep_done{0};  // 0: what was taken in is removed
};

/// Code::invalid names the place and what to write instead.
core::Result<std::vector<FolderDevice>> folder_devices(const core::Config& config,
                                                       core::Files& files);

}  // namespace gateway::adapters::filedrop
