// The configuration keys of this room, and what is built from them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/net/http.h"
#include "core/result.h"
#include "sync/holdings.h"
#include "sync/upkeep.h"
#include "sync/uplink.h"

namespace gateway::sync {

std::vector<core::ConfigKey> sync_config_keys();

/// The names of those that take images, and of these the ones reached by C-STORE.
std::vector<std::string> image_uplinks(const core::Config& config);
std::vector<std::string> dicom_uplinks(const core::Config& config);

/// What the holdings are opened with. Reads also site.timezone, storage.* and
/// dicom.patient_id_issuer, which their own rooms register.
HoldingsOptions holdings_options(const core::Config& config);

/// Retention, prefetch and scrub; `config` must outlive what uses them.
UpkeepOptions upkeep_options(const core::Config& config);

/// How [uplink.NAME] reaches its server. Code::invalid or Code::io: a file it names.
core::Result<core::net::HttpClientOptions> uplink_client_options(const core::Config& config,
                                                                 const std::string& name);

/// How uplinks of a kind are made that an adapter speaks.
struct UplinkMaker {
  UplinkLimits limits;
  std::function<core::Result<std::unique_ptr<Uplink>>(const std::string& name)> build;
};

/// Every [uplink.NAME] of the configuration. Files are read when an uplink is first used; `config`
/// and `clock` must outlive the uplinks. `makers`: by kind, of those not made here.
std::vector<std::unique_ptr<Uplink>> make_uplinks(boost::asio::any_io_executor loop,
                                                  std::shared_ptr<Holdings> holdings,
                                                  const core::Config& config,
                                                  const core::Clock& clock,
                                                  const std::map<std::string, UplinkMaker>& makers);

}  // namespace gateway::sync
