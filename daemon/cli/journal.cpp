#include "daemon/cli/journal.h"

#include <systemd/sd-journal.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/text.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr char kUnit[] = "clinic-gateway.service";
constexpr char kProcess[] = "clinic-gatewayd";
constexpr std::uint64_t kWaitUs = 1'000'000;

struct Close {
  void operator()(sd_journal* journal) const { ::sd_journal_close(journal); }
};
using Journal = std::unique_ptr<sd_journal, Close>;

core::Status checked(int answer) {
  if (answer >= 0) return {};
  return Error(Code::io, cat("the journal cannot be read: ", std::strerror(-answer)));
}

core::Result<Journal> open_journal(const std::string& directory) {
  sd_journal* journal = nullptr;
  GW_CHECK(checked(directory.empty()
                       ? ::sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY)
                       : ::sd_journal_open_directory(&journal, directory.c_str(), 0)));
  return Journal(journal);
}

core::Status match(sd_journal* journal, const std::string& field) {
  return checked(::sd_journal_add_match(journal, field.data(), field.size()));
}

core::Status select(sd_journal* journal, const std::string& component) {
  GW_CHECK(match(journal, cat("_SYSTEMD_UNIT=", kUnit)));
  GW_CHECK(checked(::sd_journal_add_disjunction(journal)));
  GW_CHECK(match(journal, "_PID=1"));
  GW_CHECK(match(journal, cat("UNIT=", kUnit)));
  GW_CHECK(checked(::sd_journal_add_disjunction(journal)));
  GW_CHECK(match(journal, cat("_COMM=", kProcess)));
  if (component.empty()) return {};
  GW_CHECK(checked(::sd_journal_add_conjunction(journal)));
  return match(journal, cat("GATEWAY_COMPONENT=", component));
}

/// Empty: the entry has none.
std::string field(sd_journal* journal, const char* name) {
  const void* data = nullptr;
  std::size_t size = 0;
  if (::sd_journal_get_data(journal, name, &data, &size) < 0) return "";
  const std::string_view text(static_cast<const char*>(data), size);
  return std::string(text.substr(std::strlen(name) + 1));
}

std::int64_t number(sd_journal* journal, const char* name, std::int64_t otherwise) {
  const std::string text = field(journal, name);
  std::int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

const char* level_of(std::int64_t priority) {
  if (priority <= 3) return "error";
  if (priority == 4) return "warn";
  return priority <= 6 ? "info" : "debug";
}

core::Result<JournalEntry> read_entry(sd_journal* journal) {
  std::uint64_t at_us = 0;
  GW_CHECK(checked(::sd_journal_get_realtime_usec(journal, &at_us)));
  JournalEntry entry;
  entry.at = core::Wall(std::chrono::microseconds(at_us));
  entry.level = level_of(number(journal, "PRIORITY", 6));
  entry.component = field(journal, "GATEWAY_COMPONENT");
  entry.message = field(journal, "MESSAGE");
  if (entry.component.empty()) return entry;
  entry.file = field(journal, "CODE_FILE");
  entry.line = number(journal, "CODE_LINE", 0);
  return entry;
}

core::Status seek(sd_journal* journal, const JournalQuery& query) {
  if (query.since) {
    const auto since = query.since->time_since_epoch();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
    return checked(::sd_journal_seek_realtime_usec(journal, static_cast<std::uint64_t>(us)));
  }
  GW_CHECK(checked(::sd_journal_seek_tail(journal)));
  // One further back than the first to be told; where there are not so many, before the oldest.
  const int gone_back = ::sd_journal_previous_skip(journal, query.newest + 1);
  GW_CHECK(checked(gone_back));
  if (static_cast<std::uint64_t>(gone_back) == query.newest + 1) return {};
  return checked(::sd_journal_seek_head(journal));
}

}  // namespace

core::Status read_journal(const JournalQuery& query,
                          const std::function<bool(const JournalEntry&)>& each) {
  GW_TRY(const Journal journal, open_journal(query.directory));
  GW_CHECK(select(journal.get(), query.component));
  GW_CHECK(seek(journal.get(), query));
  while (true) {
    const int moved = ::sd_journal_next(journal.get());
    GW_CHECK(checked(moved));
    if (moved == 0) {
      if (!query.follow) return {};
      GW_CHECK(checked(::sd_journal_wait(journal.get(), kWaitUs)));
      continue;
    }
    GW_TRY(const JournalEntry entry, read_entry(journal.get()));
    if (!each(entry)) return {};
  }
}

}  // namespace gateway::cli
