#include "adapters/dicom/sealing_sink.h"

namespace gateway::adapters::dicom {

SealingSink::SealingSink(std::unique_ptr<crypto::SealedWriter> writer,
                         std::string transfer_syntax_uid)
    : writer_(std::move(writer)), head_(std::move(transfer_syntax_uid)) {}

void SealingSink::write_header(std::span<const std::byte> header) {
  data_set_offset_ = header.size();
  append(header);
}

offile_off_t SealingSink::write(const void* bytes, offile_off_t size) {
  const std::span<const std::byte> part(static_cast<const std::byte*>(bytes),
                                        static_cast<std::size_t>(size));
  data_set_bytes_ += part.size();
  if (writer_) {
    head_.feed(part);
    append(part);
  }
  return size;
}

void SealingSink::append(std::span<const std::byte> bytes) {
  if (!writer_) return;
  if (auto appended = writer_->append(bytes); !appended.ok()) {
    failure_ = std::move(appended).error();
    writer_.reset();  // gives the space back while the rest is still coming
  }
}

offile_off_t BoundedSink::write(const void* bytes, offile_off_t size) {
  const auto count = static_cast<std::size_t>(size);
  overflowed_ = overflowed_ || count > bytes_max_ - bytes_.size();
  if (!overflowed_) bytes_.append(static_cast<const char*>(bytes), count);
  return size;
}

}  // namespace gateway::adapters::dicom
