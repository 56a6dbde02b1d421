// Starting with what is right in a configuration that has mistakes: a clinic that mistyped a key of
// [mqtt] still needs its modalities served. What nothing can be served without stays fatal: the
// tables site, storage, keys and control, an uplink's kind, and a file nobody can read.
#pragma once

#include <string>
#include <vector>

#include "core/config.h"

namespace gateway::daemon {

struct ConfigFaults {
  std::vector<std::string> fatal;  // FILE:LINE: KEY: what, as all of these
  std::vector<std::string> left_out;
  std::vector<std::string> left_out_peers;  // AE titles of the DICOM peers among these; * where it
                                            // is not known
  std::string dicom;  // why DICOM must not be served: its table is not as it was meant
  std::vector<std::string> absent;  // files that are not there or not safe just now
};

/// Takes out of `reading.config` what must not be used: the whole of [mqtt], [api], a device, an
/// API client or a DICOM peer with a mistake in it; elsewhere the value alone, so that its default
/// holds. A key nobody knows is left out alone, but not in [dicom] and the API, where it may have
/// been meant to keep somebody away. An uplink stays, and is down with its reason: what is held
/// has to wait for it.
ConfigFaults leave_out_faults(core::Config::Reading& reading,
                              const std::vector<core::ConfigKey>& keys);

}  // namespace gateway::daemon
