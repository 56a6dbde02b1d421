// What a hub holds of resumable uploads: a row for each, and its bytes as sealed objects of their
// own, in the order they came. A part begins with kPartMark, so that nobody takes the first of them
// for the DICOM file whose beginning it holds. Inside the caller's transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

inline constexpr std::string_view kPartMark = "CGUPLOAD";

struct Upload {
  std::string id;
  std::string client;
  std::uint64_t length = 0;
  std::uint64_t received = 0;  // on the disk
  std::string metadata;
  std::string concat;
  bool stored = false;
  std::string joined_into = {};
  std::string expires_at;

  /// One that others are joined to; it is no instance by itself.
  bool is_partial() const { return concat == "partial"; }
  bool is_whole() const { return received == length; }
};

core::Status insert_upload(crypto::Connection& connection, const Upload& upload);
core::Result<std::optional<Upload>> read_upload(crypto::Connection& connection,
                                                const std::string& id);

/// `object` holds `bytes` bytes of it from `begin` on. Code::refused: that is not where it stands.
core::Status add_part(crypto::Connection& connection, const std::string& id, std::uint64_t begin,
                      const std::string& object, std::uint64_t bytes,
                      const std::string& expires_at);
/// The objects of its parts, from the beginning on.
core::Result<std::vector<std::string>> parts_of(crypto::Connection& connection,
                                                const std::string& id);
/// Puts the parts of `id` behind `begin` bytes of `into`.
core::Status join_parts(crypto::Connection& connection, const std::string& id,
                        const std::string& into, std::uint64_t begin);

/// It is an instance now: its parts are doomed.
core::Status end_upload(crypto::Connection& connection, const std::string& id);
/// It is no more, nor are those joined to it.
core::Status drop_upload(crypto::Connection& connection, const std::string& id);
/// Drops those that nobody went on with until `now`.
core::Status expire_uploads(crypto::Connection& connection, const std::string& now);
/// Drops all: what they say is that of a database that was lost.
core::Status forget_uploads(crypto::Connection& connection);

/// How many uploads of a client are open, and how many bytes of disk all that are open may yet
/// take: what is to come, and the whole once more when it is taken in.
struct UploadLoad {
  std::int64_t open_of_client = 0;
  std::uint64_t bytes_to_come = 0;
};
core::Result<UploadLoad> upload_load(crypto::Connection& connection, const std::string& client);

}  // namespace gateway::sync
