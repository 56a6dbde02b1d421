#include "adapters/dicom/store_scp.h"

#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <cstring>

#include "adapters/dicom/data_set_receiver.h"
#include "adapters/dicom/part10_header.h"
#include "adapters/dicom/sealing_sink.h"
#include "adapters/frame/crash_point.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::uint64_t kUnlimited = UINT64_MAX;

Refusal success() { return {kSuccess, ""}; }

std::string_view trimmed_uid(const DIC_UI& uid) {
  return core::trim(std::string_view(uid, std::strlen(uid)));
}

core::Result<std::unique_ptr<crypto::SealedWriter>> begin_object(sync::Holdings* holdings) {
  if (holdings == nullptr) return Error(Code::locked, "the gateway is locked");
  return holdings->ingest().begin_object();
}

}  // namespace

StoreScp::StoreScp(Association& association, const sync::HoldingsDoor& door, Traffic& traffic)
    : association_(association), door_(door), traffic_(traffic) {}

bool StoreScp::serve(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request) {
  if (request.DataSetType == DIMSE_DATASET_NULL) {
    return answer(context, request, {kCannotUnderstand, "C-STORE without a data set"});
  }
  const std::shared_ptr<sync::Holdings> holdings = door_.get();
  auto writer = begin_object(holdings.get());
  std::optional<Error> failure;
  if (!writer.ok()) failure = writer.error();

  const std::string transfer_syntax = association_.context(context).transfer_syntax;
  SealingSink sink(writer.ok() ? std::move(writer).value() : nullptr, transfer_syntax);
  sink.write_header(part10_header(trimmed_uid(request.AffectedSOPClassUID),
                                  trimmed_uid(request.AffectedSOPInstanceUID), transfer_syntax,
                                  {association_.calling_title(), association_.called_title()}));
  if (!receive(context, sink)) return false;
  traffic_.bytes += sink.data_set_bytes();

  if (!failure) failure = sink.failure();
  if (!failure) return answer(context, request, store(*holdings, sink, request));
  return answer(context, request, refuse(*failure));
}

bool StoreScp::receive(T_ASC_PresentationContextID context, SealingSink& sink) {
  association_.peer().set_patience(association_.peer().stall_timeout());
  association_.peer().set_read_allowance(kUnlimited);
  if (receive_data_set(*association_.handle(), context, sink).good()) return true;
  ++outcomes_["broken off"];
  association_.abort();
  return false;
}

Refusal StoreScp::store(sync::Holdings& holdings, SealingSink& sink,
                        const T_DIMSE_C_StoreRQ& request) {
  sync::ReceivedInstance instance;
  instance.facts = sink.facts();
  if (const auto refusal = check_identity(instance.facts, trimmed_uid(request.AffectedSOPClassUID),
                                          trimmed_uid(request.AffectedSOPInstanceUID))) {
    note_refusal(*refusal, refusal->comment);
    return *refusal;
  }
  instance.data_set_offset = sink.data_set_offset();
  instance.calling_ae_title = association_.calling_title();
  instance.called_ae_title = association_.called_title();
  instance.peer_address = association_.peer().address();
  const auto outcome = holdings.ingest().store(std::move(instance), sink.writer());
  if (!outcome.ok()) return refuse(outcome.error());
  traffic_.is_out_of_space = false;
  frame::pass_crash_point("store-committed");
  switch (outcome.value()) {
    case sync::StoreOutcome::stored:
      ++traffic_.stored;
      ++outcomes_["stored"];
      break;
    case sync::StoreOutcome::repeated:
      ++traffic_.repeated;
      ++outcomes_["repeated"];
      break;
    case sync::StoreOutcome::other_copy:
      ++traffic_.other_copies;
      ++outcomes_["kept as another copy of a UID held already"];
      break;
  }
  return success();
}

Refusal StoreScp::refuse(const Error& failure) {
  if (failure.code() == core::Code::no_space) traffic_.is_out_of_space = true;
  Refusal refusal = refusal_for(failure.code());
  note_refusal(refusal, failure.message());
  return refusal;
}

// The first of each kind with its detail; the rest are counted in the association's summary, so
// that a modality that resends a thousand images cannot flood the log.
void StoreScp::note_refusal(const Refusal& refusal, const std::string& detail) {
  ++traffic_.refused;
  if (++outcomes_[cat("refused (", refusal.comment, ")")] > 1) return;
  core::log_warn("dicom", cat("C-STORE from ", association_.calling_title(), " at ",
                              association_.peer().address(), " refused: ", detail));
}

bool StoreScp::answer(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ& request,
                      const Refusal& refusal) {
  T_DIMSE_C_StoreRSP response{};
  response.DimseStatus = refusal.status;
  DcmDataset detail;
  if (!refusal.comment.empty())
    (void)detail.putAndInsertString(DCM_ErrorComment, refusal.comment.c_str());
  return DIMSE_sendStoreResponse(association_.handle(), context, &request, &response,
                                 refusal.comment.empty() ? nullptr : &detail)
      .good();
}

std::string StoreScp::summary() const {
  std::string text;
  for (const auto& [outcome, count] : outcomes_) {
    if (!text.empty()) text += ", ";
    core::append_text(text, count);
    text += ' ';
    text += outcome;
  }
  return text;
}

}  // namespace gateway::adapters::dicom
