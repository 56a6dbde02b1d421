#include "daemon/cli/audit.h"

#include <cstdio>

#include "core/files.h"
#include "core/text.h"
#include "crypto/audit_checkpoint.h"
#include "crypto/octets.h"
#include "daemon/cli/client.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr core::Milliseconds kTimeout{60'000};
constexpr std::size_t kCheckpointMax = 4096;

core::Result<Json> get(const AuditOptions& options, std::string target) {
  core::net::HttpRequest request;
  request.target = std::move(target);
  return ask(options.socket, std::move(request), kTimeout);
}

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out += plain ? std::string(1, c) : cat('%', core::to_hex(std::string_view(&c, 1)));
  }
  return out;
}

core::Result<crypto::AuditCheckpoint> read_checkpoint(const std::string& path) {
  auto text = core::read_whole_file(core::system_files(), path, kCheckpointMax);
  if (!text.ok()) return std::move(text).error();
  return crypto::AuditCheckpoint::parse(*text).with_context(path);
}

/// A root key that was given up may be known by now: what it signs for rows after it is forged.
bool is_own_key(const crypto::AuditCheckpoint& checkpoint, const Json& trail) {
  if (checkpoint.public_key == trail["public_key"].text()) return true;
  for (const Json& former : trail["former_keys"].items()) {
    if (checkpoint.public_key != former["public_key"].text()) continue;
    return checkpoint.head.sequence <= former["last_sequence"].integer().value_or(0);
  }
  return false;
}

core::Status compare(const AuditOptions& options, const crypto::AuditCheckpoint& checkpoint,
                     const Json& trail) {
  if (!is_own_key(checkpoint, trail) || !checkpoint.is_signed()) {
    return Error(Code::corrupt,
                 cat(options.checkpoint_file, " is not signed by this gateway's key ",
                     trail["public_key"].text(), ", nor by one it had at that time"));
  }
  if (checkpoint.head.sequence == 0) return {};
  const auto row = get(options, cat("/v1/audit/row?sequence=", checkpoint.head.sequence));
  if (!row.ok() && row.error().code() != Code::not_found) return row.error();
  if (row.ok() && (*row)["mac"].text() == core::to_hex(crypto::as_text(checkpoint.head.mac))) {
    return {};
  }
  return Error(Code::corrupt,
               cat("row ", checkpoint.head.sequence, ", published at ", checkpoint.at, ", is ",
                   row.ok() ? "another one now" : "gone: rows were cut off"));
}

void print_verdict(const AuditOptions& options, std::uint64_t rows, const Json& last) {
  if (options.json) {
    Json verdict = Json::object({{"rows", rows}});
    for (const char* member : {"sequence", "mac", "public_key"}) verdict.set(member, last[member]);
    std::printf("%s\n", verdict.dump().c_str());
    return;
  }
  std::printf("%s\n", cat(rows, " rows, none edited, removed or inserted; the newest is ",
                          last["sequence"].number_text(), "\nmac ", last["mac"].text(),
                          "\npublic key of the checkpoints ", last["public_key"].text())
                          .c_str());
}

}  // namespace

core::Status verify_audit(const AuditOptions& options) {
  std::uint64_t rows = 0;
  std::string after;
  Json page;
  do {
    GW_TRY(page, get(options, cat("/v1/audit/verify?after=", after)));
    rows += static_cast<std::uint64_t>(page["rows"].integer().value_or(0));
    if (!page["broken_at"].is_null()) {
      return Error(Code::corrupt,
                   cat("the audit trail is broken at row ", page["broken_at"].number_text(), "; ",
                       rows, " rows before it are as they were written"));
    }
    after = cat(page["sequence"].number_text(), ',', page["mac"].text());
  } while (!page["complete"].boolean());
  if (!options.checkpoint_file.empty()) {
    GW_TRY(const auto checkpoint, read_checkpoint(options.checkpoint_file));
    GW_CHECK(compare(options, checkpoint, page));
  }
  print_verdict(options, rows, page);
  return {};
}

core::Status export_audit(const AuditOptions& options) {
  const std::string filter =
      cat("/v1/audit/events?since=", encoded(options.since), "&until=", encoded(options.until),
          "&patient=", encoded(options.patient), "&actor=", encoded(options.actor), "&after=");
  std::string after;
  while (true) {
    GW_TRY(const Json page, get(options, cat(filter, encoded(after))));
    for (const Json& event : page["events"].items()) {
      if (std::printf("%s\n", event.dump().c_str()) < 0) {
        return Error(Code::io, "standard output takes no more; the export is not complete");
      }
    }
    if (page["next"].is_null()) break;
    after = page["next"].text();
  }
  if (std::fflush(stdout) != 0) {
    return Error(Code::io, "standard output takes no more; the export is not complete");
  }
  return {};
}

core::Status print_checkpoint(const AuditOptions& options) {
  GW_TRY(const Json checkpoint, get(options, "/v1/audit/checkpoint"));
  std::printf("%s\n", checkpoint.dump().c_str());
  return {};
}

}  // namespace gateway::cli
