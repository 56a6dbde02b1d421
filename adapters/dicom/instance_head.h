// What a C-STORE's data set says of itself: the facts ingest wants, found while the bytes stream
// by.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "sync/imaging.h"

namespace gateway::adapters::dicom {

/// One data set in one transfer syntax. Used by one thread.
class InstanceHead {
 public:
  explicit InstanceHead(std::string transfer_syntax_uid);
  ~InstanceHead();

  /// The data set's next bytes. Cheap once done(): the head ends before the pixels begin.
  void feed(std::span<const std::byte> bytes);
  bool done() const;

  /// What was found so far, decoded to UTF-8, DICOM padding removed.
  sync::InstanceFacts facts() const;

 private:
  class Inflater;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gateway::adapters::dicom
