#include "core/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "core/journal_sink.h"
#include "core/log_limiter.h"
#include "core/text.h"

namespace gateway::core {
namespace {

constexpr std::size_t kTracesMax = 2'000;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::shared_ptr<spdlog::sinks::sink> open_sink() {
  auto text = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  text->set_pattern("%L %n: %v");
  if (stderr_is_journal()) return journal_sink(std::move(text));
  return text;
}

/// How the compiler spells the paths of sources depends on where it was started; this file's own
/// path tells what stands in front.
std::string_view from_the_top(std::string_view file) {
  constexpr std::string_view kThis = __FILE__;
  constexpr std::string_view kTop = kThis.substr(0, kThis.size() - sizeof "core/log.cpp" + 1);
  return file.starts_with(kTop) ? file.substr(kTop.size()) : file;
}

class Log {
 public:
  void set_least(Level level) { least_ = level; }
  bool wants(Level level) const { return level >= least_.load(); }

  void write(Level level, std::string_view component, std::string message, const char* file,
             int line) {
    const std::lock_guard lock(mutex_);
    const Monotonic now = system_clock().monotonic();
    tell_dropped(now, false);
    const auto admission = limiter_.admit({file, line}, now);
    if (admission == LogLimiter::Admission::drop) return;
    if (admission == LogLimiter::Admission::write_as_last)
      message += " (this comes too often: for half a minute it is counted only)";
    put(level, component, message, file, line);
  }

  void settle() {
    const std::lock_guard lock(mutex_);
    tell_dropped(system_clock().monotonic(), true);
  }

  std::vector<LogTrace> traces() const {
    const std::lock_guard lock(mutex_);
    return {traces_.begin(), traces_.end()};
  }

 private:
  void tell_dropped(Monotonic now, bool all) {
    for (const auto& [place, lines] : limiter_.take_dropped(now, all)) {
      const std::string text = cat(lines, " lines of ", from_the_top(place.first), ':',
                                   place.second, " were dropped: they came too often");
      put(Level::warn, "log", text, __FILE__, __LINE__);
    }
  }

  void put(Level level, std::string_view component, const std::string& message, const char* file,
           int line) {
    const std::string place(from_the_top(file));
    if (traces_.size() == kTracesMax) traces_.pop_front();
    traces_.push_back({system_clock().wall(), level, std::string(component), place, line});
    sink_->log({spdlog::source_loc{place.c_str(), line, ""},
                spdlog::string_view_t(component.data(), component.size()), to_spdlog(level),
                spdlog::string_view_t(message.data(), message.size())});
    sink_->flush();
  }

  std::atomic<Level> least_ = Level::info;
  mutable std::mutex mutex_;
  LogLimiter limiter_;
  std::deque<LogTrace> traces_;
  const std::shared_ptr<spdlog::sinks::sink> sink_ = open_sink();
};

Log& the_log() {
  // Never ended: threads may log while the process goes.
  static Log& instance = *new Log;
  return instance;
}

}  // namespace

void set_log_level(Level level) { the_log().set_least(level); }

Result<Level> parse_log_level(std::string_view text) {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error}) {
    if (text == to_string(level)) return level;
  }
  return Error(Code::invalid,
               cat("\"", text, "\" is no log level; use debug, info, warn or error"));
}

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "";
}

void log(Level level, std::string_view component, std::string_view message, const char* file,
         int line) {
  if (!the_log().wants(level)) return;
  std::string text(message);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  the_log().write(level, component, std::move(text), file, line);
}

void settle_log() { the_log().settle(); }

std::vector<LogTrace> recent_log() { return the_log().traces(); }

}  // namespace gateway::core
