// What one model of device sends and how it is understood, as data: a folder with profile.toml,
// codes.csv, fixtures/ and expected/. Shipped ones come with the package, a site's own of the same
// id take their place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/profiles/code_map.h"
#include "adapters/profiles/field_map.h"
#include "adapters/profiles/place.h"
#include "adapters/profiles/sampling.h"
#include "core/config.h"
#include "core/files.h"
#include "core/result.h"

namespace gateway::adapters::profiles {

/// How the two check characters of a frame are made.
enum class Checksum {
  standard,      // from the frame number through ETB or ETX (LIS01-A2 6.3.3.3)
  without_end,   // the same without ETB or ETX
  with_start,    // the same with STX
  not_verified,  // the device sends something else; a damaged frame passes unseen
};

struct Profile {
  std::string id;
  std::string revision;  // "3+8c1f20aa": its own number and the first bytes of its files' SHA-256
  std::string device;    // "Roche cobas c111"
  std::string protocol;  // "astm", "poct1a", "folder", "mqtt", "socket", "hl7"
  bool is_monitor = false;  // hl7: its results are vitals
  Checksum checksum = Checksum::standard;
  std::size_t frame_bytes_max = 240;         // text of a frame we send
  std::vector<std::size_t> code_components;  // of the test id, joined by '^'
  std::vector<FieldRule> specimen_id;  // the first that has a value; none: the device's own number
  std::vector<FieldRule> patient_id;   // the same
  std::vector<std::string> no_patient_ids;  // what stands there when nobody is meant, patterns too
  std::vector<FieldTest> qc;                // any of these: a control, no patient
  std::vector<std::string> run_failures;    // values that say "no result", patterns too
  std::vector<FieldRule> serial;            // of the device
  Place interpretation;                     // abnormal flags
  std::vector<std::string> own_notes;       // poct1a: notes for the device's own use, patterns too
  std::vector<std::string> own_values;      // hl7: codes of what it says of itself, patterns too
  char decimal_separator = '.';
  CodeMap codes;
  FieldMap fields;    // of protocols that write named fields
  Sampling sampling;  // hl7: of a monitor

  bool is_run_failure(std::string_view value) const;
  /// `sent` stands where the patient's id belongs and means nobody.
  bool is_nobody(std::string_view sent) const;
  bool is_own_note(std::string_view text) const;
  /// `code` is of no test: a setting of the device, a mark in its curve.
  bool is_own_value(std::string_view code) const;
};

/// Where profiles lie; absolute paths.
struct Shelf {
  std::string shipped;
  std::string site;  // the same id here wins
};

/// Where profiles.shipped_dir and profiles.site_dir say.
Shelf shelf_of(const core::Config& config);
/// The profile that device.DEVICE.profile names, of that protocol. Code::invalid: "PLACE: KEY:
/// what is wrong".
core::Result<Profile> profile_of_device(const core::Config& config, core::Files& files,
                                        const std::string& device, std::string_view protocol);

/// Code::invalid unless device.DEVICE.profile is written. `who`: "an ASTM device"; `fallback`: the
/// profile for models that have none.
core::Status check_named(const core::Config& config, const std::string& device,
                         std::string_view who, std::string_view fallback);

/// Ids of both folders, sorted. A folder that is not there holds none.
core::Result<std::vector<std::string>> profile_ids(core::Files& files, const Shelf& shelf);
/// The folder of that profile; Code::not_found names where was looked.
core::Result<std::string> profile_folder(core::Files& files, const Shelf& shelf,
                                         const std::string& id);
/// Code::invalid names file, line and key.
core::Result<Profile> load_profile(core::Files& files, const std::string& folder);

}  // namespace gateway::adapters::profiles
