// The configuration keys of resumable upload, and what is built from them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "sync/resumable_sender.h"

namespace gateway::sync {

std::vector<core::ConfigKey> resumable_config_keys();

/// Null: [uplink.NAME] names no hub. Code::invalid or Code::io: a file it names.
core::Result<std::unique_ptr<ResumableSender>> make_resumable_sender(
    boost::asio::any_io_executor loop, std::shared_ptr<Holdings> holdings,
    const core::Config& config, const core::Clock& clock, const std::string& name);

}  // namespace gateway::sync
