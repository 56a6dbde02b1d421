#include "core/journal_sink.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

// The place is the caller's, not this file's.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/text.h"

namespace gateway::core {
namespace {

int priority_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LOG_DEBUG;
    case spdlog::level::info:
      return LOG_INFO;
    case spdlog::level::warn:
      return LOG_WARNING;
    default:
      return LOG_ERR;
  }
}

std::string_view view_of(spdlog::string_view_t text) { return {text.data(), text.size()}; }

// sd_journal_sendv() is thread-safe by itself.
class JournalSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit JournalSink(std::shared_ptr<spdlog::sinks::sink> instead)
      : instead_(std::move(instead)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& entry) override {
    std::array fields{cat("MESSAGE=", view_of(entry.payload)),
                      cat("PRIORITY=", priority_of(entry.level)),
                      cat("SYSLOG_IDENTIFIER=", program_invocation_short_name),
                      cat("GATEWAY_COMPONENT=", view_of(entry.logger_name)),
                      cat("CODE_FILE=", entry.source.filename),
                      cat("CODE_LINE=", entry.source.line)};
    std::array<iovec, fields.size()> parts{};
    for (std::size_t i = 0; i < fields.size(); ++i) parts[i] = {fields[i].data(), fields[i].size()};
    if (::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) < 0) instead_->log(entry);
  }
  void flush_() override {}

 private:
  const std::shared_ptr<spdlog::sinks::sink> instead_;
};

}  // namespace

bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  return stream && ::fstat(STDERR_FILENO, &facts) == 0 &&
         cat(facts.st_dev, ':', facts.st_ino) == stream;
}

std::shared_ptr<spdlog::sinks::sink> journal_sink(std::shared_ptr<spdlog::sinks::sink> instead) {
  return std::make_shared<JournalSink>(std::move(instead));
}

}  // namespace gateway::core
