#include "adapters/dicom/media.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcddirif.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/oflog/oflog.h>

#include <algorithm>
#include <optional>

#include "adapters/dicom/encoded_file.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/part10_header.h"
#include "adapters/dicom/refusal.h"
#include "adapters/dicom/sealing_sink.h"
#include "core/text.h"
#include "sync/archive.h"
#include "sync/part10.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

constexpr std::size_t kTitleMax = 16;  // of an AE title (PS3.5 6.2)

class Import final : public MediaImport {
 public:
  Import(std::shared_ptr<sync::Holdings> holdings, std::string patient, MediaSource source)
      : holdings_(std::move(holdings)), patient_(std::move(patient)), source_(std::move(source)) {
    source_.name.resize(std::min(source_.name.size(), kTitleMax));
  }

  core::Status append(std::span<const std::byte> bytes) override {
    if (sink_) return pour(bytes);
    begin_.insert(begin_.end(), bytes.begin(), bytes.end());
    GW_TRY(head_, sync::read_part10_head(begin_));
    if (!head_) return {};
    GW_CHECK(open());
    const std::vector<std::byte> begin = std::exchange(begin_, {});
    return pour(std::span(begin).subspan(static_cast<std::size_t>(head_->data_set_offset)));
  }

  core::Result<sync::StoreOutcome> finish() override {
    if (!sink_) return Error(Code::invalid, "it is no DICOM file");
    if (sink_->failure()) return *sink_->failure();
    sync::ReceivedInstance instance;
    instance.facts = sink_->facts();
    if (const auto refusal =
            check_identity(instance.facts, head_->sop_class_uid, head_->sop_instance_uid))
      return Error(Code::invalid, refusal->comment);
    instance.data_set_offset = sink_->data_set_offset();
    instance.calling_ae_title = source_.name;
    instance.peer_address = source_.address;
    instance.imported_for = patient_;
    return holdings_->ingest().store(std::move(instance), sink_->writer());
  }

 private:
  core::Status open() {
    if (head_->sop_class_uid == UID_MediaStorageDirectoryStorage)
      return Error(Code::invalid, "it is a DICOMDIR");
    GW_TRY(auto writer, holdings_->ingest().begin_object());
    sink_.emplace(std::move(writer), head_->transfer_syntax_uid);
    sink_->write_header(part10_header(head_->sop_class_uid, head_->sop_instance_uid,
                                      head_->transfer_syntax_uid, {source_.name}));
    return {};
  }

  core::Status pour(std::span<const std::byte> bytes) {
    sink_->write(bytes.data(), static_cast<offile_off_t>(bytes.size()));
    if (sink_->failure()) return *sink_->failure();
    return {};
  }

  const std::shared_ptr<sync::Holdings> holdings_;
  const std::string patient_;
  MediaSource source_;
  std::vector<std::byte> begin_;  // until the head is whole
  std::optional<sync::Part10Head> head_;
  std::optional<SealingSink> sink_;
};

class AsHeld final : public MediaExport {
 public:
  explicit AsHeld(std::unique_ptr<crypto::SealedReader> reader) : reader_(std::move(reader)) {}
  std::uint64_t memory() const override { return 0; }
  core::Result<std::string> read(std::uint64_t offset, std::size_t most) override {
    const std::uint64_t left = reader_->size() - std::min(offset, reader_->size());
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(most, left)), '\0');
    if (bytes.empty()) return bytes;
    GW_TRY(const std::size_t got, reader_->read(offset, std::as_writable_bytes(std::span(bytes))));
    bytes.resize(got);
    return bytes;
  }

 private:
  std::unique_ptr<crypto::SealedReader> reader_;
};

class Rewritten final : public MediaExport {
 public:
  explicit Rewritten(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t memory() const override { return bytes_.size(); }
  core::Result<std::string> read(std::uint64_t offset, std::size_t most) override {
    if (offset >= bytes_.size()) return std::string();
    return bytes_.substr(static_cast<std::size_t>(offset), most);
  }

 private:
  const std::string bytes_;
};

}  // namespace

std::unique_ptr<MediaImport> MediaImport::begin(std::shared_ptr<sync::Holdings> holdings,
                                                std::string patient, MediaSource source) {
  return std::make_unique<Import>(std::move(holdings), std::move(patient), std::move(source));
}

core::Result<std::unique_ptr<MediaExport>> MediaExport::open(sync::Holdings& holdings,
                                                             const core::Clock& clock,
                                                             std::int64_t row,
                                                             const std::string& transfer_syntax) {
  GW_TRY(const auto found, holdings.database().read_value<sync::RetrievedInstance>(
                               [&](crypto::Connection& connection) {
                                 return sync::retrieved_instance(
                                     connection, row, holdings.options().ingest.patient_id_issuer);
                               }));
  if (!found.instance.is_held)
    return Error(Code::not_found, "the bytes of the instance are not here any more");
  GW_TRY(auto reader, holdings.objects().open_object(found.instance.object_id));
  const std::string& wanted =
      transfer_syntax.empty() ? found.instance.transfer_syntax_uid : transfer_syntax;
  if (!found.patient.is_corrected && wanted == found.instance.transfer_syntax_uid)
    return std::unique_ptr<MediaExport>(std::make_unique<AsHeld>(std::move(reader)));
  GW_TRY(const auto data_set, decode_object(std::move(reader), found.instance, wanted));
  if (found.patient.is_corrected)
    GW_CHECK(correct_identity(*data_set, found.patient, dicom_now(clock)));
  GW_TRY(std::string bytes, encode_file(*data_set, found.instance.sop_class_uid,
                                        found.instance.sop_instance_uid, wanted));
  return std::unique_ptr<MediaExport>(std::make_unique<Rewritten>(std::move(bytes)));
}

core::Result<DicomDirReport> write_dicomdir(const std::string& folder,
                                            const std::vector<std::string>& files) {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);  // it may name patients
  DicomDirInterface directory;
  directory.disableTransferSyntaxCheck();
  directory.disableConsistencyCheck();
  directory.disableResolutionCheck();
  directory.enableInventMode();
  OFCondition cond = directory.createNewDicomDir(
      DicomDirInterface::AP_GeneralPurpose, OFFilename((folder + "/DICOMDIR").c_str()), "CLINICGW");
  if (cond.bad()) return Error(Code::io, core::cat("the DICOMDIR cannot be made: ", cond.text()));
  DicomDirReport report;
  for (const std::string& file : files) {
    if (directory.addDicomFile(OFFilename(file.c_str()), OFFilename(folder.c_str())).good())
      ++report.listed;
    else
      report.unlisted.push_back(file);
  }
  cond = directory.writeDicomDir();
  if (cond.bad())
    return Error(Code::io, core::cat("the DICOMDIR cannot be written: ", cond.text()));
  return report;
}

}  // namespace gateway::adapters::dicom
