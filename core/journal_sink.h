// The systemd journal as a sink of spdlog: an entry per message with its fields
// (systemd.journal-fields(7)). The logger's name is the component. Thread-safe.
#pragma once

#include <spdlog/sinks/sink.h>

#include <memory>

namespace gateway::core {

/// Whether standard error is connected to the journal, as $JOURNAL_STREAM says.
bool stderr_is_journal();

/// What the journal does not take goes to `instead`.
std::shared_ptr<spdlog::sinks::sink> journal_sink(std::shared_ptr<spdlog::sinks::sink> instead);

}  // namespace gateway::core
