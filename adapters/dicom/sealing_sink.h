// Where DCMTK pours the bytes of a C-STORE's data set: scanned for facts and sealed as they come,
// nothing held back. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrma.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "adapters/dicom/instance_head.h"
#include "core/result.h"
#include "crypto/objects.h"

namespace gateway::adapters::dicom {

/// Never reports a short write: DCMTK would go on waiting for data without looking for the last
/// PDV. The first failure is latched, the writer given up, and the rest swallowed.
class SealingSink final : public DcmConsumer {
 public:
  /// Without a writer everything is swallowed.
  SealingSink(std::unique_ptr<crypto::SealedWriter> writer, std::string transfer_syntax_uid);

  /// What stands before the data set in the object.
  void write_header(std::span<const std::byte> header);

  OFBool good() const override { return OFTrue; }
  OFCondition status() const override { return EC_Normal; }
  OFBool isFlushed() const override { return OFTrue; }
  offile_off_t avail() const override { return INT32_MAX; }
  offile_off_t write(const void* bytes, offile_off_t size) override;
  void flush() override {}

  std::uint64_t data_set_bytes() const { return data_set_bytes_; }
  std::uint64_t data_set_offset() const { return data_set_offset_; }
  const std::optional<core::Error>& failure() const { return failure_; }
  sync::InstanceFacts facts() const { return head_.facts(); }

  /// Only without a failure().
  crypto::SealedWriter& writer() { return *writer_; }

 private:
  void append(std::span<const std::byte> bytes);

  std::unique_ptr<crypto::SealedWriter> writer_;
  InstanceHead head_;
  std::uint64_t data_set_bytes_ = 0;
  std::uint64_t data_set_offset_ = 0;
  std::optional<core::Error> failure_;
};

/// A bounded data set in memory (C-FIND identifiers); longer ones are swallowed and marked.
class BoundedSink final : public DcmConsumer {
 public:
  explicit BoundedSink(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  OFBool good() const override { return OFTrue; }
  OFCondition status() const override { return EC_Normal; }
  OFBool isFlushed() const override { return OFTrue; }
  offile_off_t avail() const override { return INT32_MAX; }
  offile_off_t write(const void* bytes, offile_off_t size) override;
  void flush() override {}

  const std::string& bytes() const { return bytes_; }
  bool overflowed() const { return overflowed_; }

 private:
  std::size_t bytes_max_;
  std::string bytes_;
  bool overflowed_ = false;
};

}  // namespace gateway::adapters::dicom
