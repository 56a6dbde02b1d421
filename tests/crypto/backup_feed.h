// A backup's feed straight from its source, without the control socket between them.
#pragma once

#include <string>

#include "crypto/backup_folder.h"

namespace gateway::crypto {

/// `source` outlives it.
inline BackupFeed feed_of(BackupSource& source) {
  constexpr std::size_t kFeedReadMax = 64U << 10;
  BackupFeed feed;
  feed.run = source.id();
  feed.box = source.box();
  feed.created = source.created();
  feed.pieces = source.pieces();
  feed.bodies = source.bodies();
  feed.key_part = source.key_part();
  feed.piece = [&source](std::size_t number) { return source.piece(number); };
  feed.body = [&source](const std::string& id, std::uint64_t offset) {
    return source.body(id, offset, kFeedReadMax);
  };
  feed.check = [&source](const std::string& id) { return source.check(id); };
  feed.key_file = [&source](const std::string& name, std::uint64_t offset) {
    return source.key_part_bytes(name, offset, kFeedReadMax);
  };
  return feed;
}

}  // namespace gateway::crypto
