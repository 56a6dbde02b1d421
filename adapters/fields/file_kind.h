// What a file is, by its first bytes, and whether it is all there, by its last. Pure.
#pragma once

#include <string_view>

namespace gateway::adapters::fields {

enum class FileKind {
  pdf,
  jpeg,
  png,
  dicom,  // PS3.10
  hl7,
  xml,
  text,  // a table, where the profile says so
  unknown,
};
/// `begin`: the first 1,024 bytes, or all there are.
FileKind kind_of(std::string_view begin);
inline constexpr std::size_t kKindBytes = 1'024;

/// MIME type of a document; empty: it is none.
std::string_view media_type(FileKind kind);
/// False: the format has an end, and the file does not reach it: a copy broke off, or goes on.
/// DICOM's end is found while it is read.
bool reaches_end(FileKind kind, std::string_view bytes);

}  // namespace gateway::adapters::fields
