#include "adapters/dicom/lazy_data_set.h"

#include <dcmtk/dcmdata/dcistrma.h>

#include <algorithm>
#include <vector>

#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/data_set_scanner.h"
#include "adapters/dicom/nesting.h"
#include "core/gzip.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;
using Reader = std::shared_ptr<crypto::SealedReader>;

/// Where in the object a data set lies.
struct Place {
  std::uint64_t at = 0;
  std::uint64_t end = 0;
  std::uint64_t left() const { return end - std::min(at, end); }
};

class SealedProducer final : public DcmProducer {
 public:
  SealedProducer(Reader reader, Place place, std::uint64_t allowance)
      : reader_(std::move(reader)), place_(place), allowance_(allowance) {}

  OFBool good() const override { return status_.good(); }
  OFCondition status() const override { return status_; }
  OFBool eos() override { return place_.left() == 0; }
  offile_off_t avail() override { return static_cast<offile_off_t>(place_.left()); }
  offile_off_t read(void* bytes, offile_off_t size) override {
    const auto wanted = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), place_.left());
    if (status_.bad() || wanted > allowance_) return fail();
    const auto got = reader_->read(
        place_.at, std::span(static_cast<std::byte*>(bytes), static_cast<std::size_t>(wanted)));
    if (!got.ok() || got.value() != wanted) return fail();
    place_.at += wanted;
    allowance_ -= wanted;
    return static_cast<offile_off_t>(wanted);
  }
  offile_off_t skip(offile_off_t size) override {
    const auto skipped = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), place_.left());
    place_.at += skipped;
    return static_cast<offile_off_t>(skipped);
  }
  void putback(offile_off_t size) override { place_.at -= static_cast<std::uint64_t>(size); }

  const Reader& reader() const { return reader_; }
  const Place& place() const { return place_; }

 private:
  offile_off_t fail() {
    status_ = EC_InvalidStream;
    return 0;
  }
  const Reader reader_;
  Place place_;
  std::uint64_t allowance_;
  OFCondition status_ = EC_Normal;
};

class SealedStream final : public DcmInputStream {
 public:
  SealedStream(Reader reader, Place place, std::uint64_t allowance)
      : DcmInputStream(&producer_), producer_(std::move(reader), place, allowance) {}
  DcmInputStreamFactory* newFactory() const override;

 private:
  SealedProducer producer_;
};

class SealedStreamFactory final : public DcmInputStreamFactory {
 public:
  SealedStreamFactory(Reader reader, Place place) : reader_(std::move(reader)), place_(place) {}
  DcmInputStream* create() const override { return new SealedStream(reader_, place_, UINT64_MAX); }
  DcmInputStreamFactory* clone() const override { return new SealedStreamFactory(*this); }
  DcmInputStreamFactoryType ident() const override { return DFT_DcmInputFileStreamFactory; }

 private:
  Reader reader_;
  Place place_;
};

DcmInputStreamFactory* SealedStream::newFactory() const {
  return new SealedStreamFactory(producer_.reader(), producer_.place());
}

/// For the look at its nesting.
class SealedBytes final : public ByteSource {
 public:
  SealedBytes(crypto::SealedReader& reader, Place place) : reader_(reader), place_(place) {}
  std::size_t size() const override { return static_cast<std::size_t>(place_.left()); }
  std::string_view at(std::size_t offset, std::size_t most) override {
    buffer_.resize(std::min(most, size() - std::min(offset, size())));
    const auto got = reader_.read(place_.at + offset, std::as_writable_bytes(std::span(buffer_)));
    buffer_.resize(got.ok() ? got.value() : 0);
    is_damaged_ = is_damaged_ || !got.ok();
    return {buffer_.data(), buffer_.size()};
  }
  bool is_damaged() const { return is_damaged_; }

 private:
  crypto::SealedReader& reader_;
  const Place place_;
  std::vector<char> buffer_;
  bool is_damaged_ = false;
};

core::Result<std::unique_ptr<DcmDataset>> inflate(crypto::SealedReader& reader, Place place) {
  if (place.left() > kInflatedMax) return Error(Code::invalid, "it is too long to be unpacked");
  std::string packed(static_cast<std::size_t>(place.left()), '\0');
  GW_TRY(const std::size_t got, reader.read(place.at, std::as_writable_bytes(std::span(packed))));
  packed.resize(got);
  GW_TRY(const std::string bytes, core::inflate(packed, kInflatedMax));
  GW_TRY(auto data_set, parse_data_set(bytes, EXS_LittleEndianExplicit));
  // Values must not point into `bytes` any more.
  if (data_set->loadAllDataIntoMemory().bad())
    return Error(Code::invalid, "it cannot be read as a whole");
  return data_set;
}

}  // namespace

core::Result<std::unique_ptr<DcmDataset>> open_data_set(Reader reader,
                                                        const sync::ArchiveInstance& instance) {
  const Place place{instance.data_set_offset, instance.data_set_offset + instance.data_set_bytes};
  const DcmXfer syntax(instance.transfer_syntax_uid.c_str());
  if (syntax.getXfer() == EXS_Unknown)
    return Error(Code::invalid, "its transfer syntax is not known here");
  if (syntax.getXfer() == EXS_DeflatedLittleEndianExplicit) return inflate(*reader, place);
  SealedBytes bytes(*reader, place);
  const bool is_flat =
      nests_at_most(bytes, encoding_of(syntax.getXfer()), DataSetScanner::kDepthMax);
  if (bytes.is_damaged()) return Error(Code::corrupt, "the object is damaged");
  if (!is_flat)
    return Error(Code::invalid, core::cat("its sequences nest deeper than the ",
                                          DataSetScanner::kDepthMax, " levels read here"));
  SealedStream stream(std::move(reader), place, kShortValuesMax);
  auto data_set = std::make_unique<DcmDataset>();
  data_set->transferInit();
  const OFCondition cond = data_set->read(stream, syntax.getXfer(), EGL_withoutGL);
  data_set->transferEnd();
  if (cond.bad()) return Error(Code::invalid, "its data set cannot be read");
  return data_set;
}

}  // namespace gateway::adapters::dicom
