// A tar archive (POSIX.1-1988 ustar) of small files. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"

namespace gateway::core {

class TarWriter {
 public:
  /// `time` is every file's: the same content makes the same archive.
  explicit TarWriter(Wall time);

  /// `name` of at most 100 bytes, relative.
  void add(std::string_view name, std::string_view content);
  /// The archive, with its end.
  std::string finish() &&;

 private:
  const Wall time_;
  std::string archive_;
};

}  // namespace gateway::core
