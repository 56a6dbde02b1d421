// The tus resumable upload protocol 1.0.0 (https://tus.io/protocols/resumable-upload) as far as
// both sides speak of the same: versions, metadata, and what is joined. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gateway::sync::tus {

inline constexpr char kVersion[] = "1.0.0";
inline constexpr char kBytesType[] = "application/offset+octet-stream";
/// Of our metadata: the SHA-256 of the whole file, in hex.
inline constexpr char kDigestKey[] = "sha256";

/// A count of bytes as headers carry it; nothing: it is none.
std::optional<std::uint64_t> count_of(std::string_view text);

/// "KEY BASE64" of Upload-Metadata.
std::string metadata_pair(std::string_view key, std::string_view value);
/// The value under `key` in Upload-Metadata; nothing: it is not there, or no base64.
std::optional<std::string> metadata_value(std::string_view metadata, std::string_view key);

/// The paths, without host, of the uploads that "final;URL URL..." of Upload-Concat joins; nothing:
/// it is something else.
std::optional<std::vector<std::string>> joined_paths(std::string_view concat);

/// The path of an absolute URL, or of a reference below `base`'s folder (RFC 3986 5.2 as far as
/// servers use it): the host is left out, as we never follow to another one.
std::string path_of_url(std::string_view url, std::string_view base);

/// Is `word` among "a,b,c"?
bool lists(std::string_view list, std::string_view word);

}  // namespace gateway::sync::tus
