#include "adapters/dicom/object_sender.h"

#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "adapters/dicom/held_object.h"
#include "adapters/dicom/store_status.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

constexpr std::size_t kContextsMax = 128;

void put_number(DcmDataset& command, const DcmTagKey& tag, std::uint16_t number) {
  (void)command.putAndInsertUint16(tag, number);
}

// DCMTK sends a command only together with a data set of its own.
std::string encode_command(DcmDataset& command) {
  std::array<char, 4096> buffer{};
  DcmOutputBufferStream stream(buffer.data(), buffer.size());
  command.transferInit();
  const OFCondition cond =
      command.write(stream, EXS_LittleEndianImplicit, EET_ExplicitLength, nullptr, EGL_withGL);
  command.transferEnd();
  if (cond.bad()) return {};
  void* written = nullptr;
  offile_off_t size = 0;
  stream.flush();
  stream.flushBuffer(written, size);
  return std::string(static_cast<const char*>(written), static_cast<std::size_t>(size));
}

// What is decoded is in memory: one object at a time for all associations.
std::mutex& decoding() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

std::vector<SendContext> send_contexts(T_ASC_Association& association, bool peer_opened) {
  std::vector<SendContext> contexts;
  for (unsigned id = 1; id < 256; id += 2) {
    T_ASC_PresentationContext context{};
    if (ASC_findAcceptedPresentationContext(association.params,
                                            static_cast<T_ASC_PresentationContextID>(id), &context)
            .bad())
      continue;
    const bool provides =
        context.acceptedRole == ASC_SC_ROLE_SCP || context.acceptedRole == ASC_SC_ROLE_SCUSCP;
    if (peer_opened && !provides) continue;
    contexts.push_back(
        {context.presentationContextID, context.abstractSyntax, context.acceptedTransferSyntax});
  }
  return contexts;
}

std::vector<OutgoingAssociation::Proposal> store_proposals(
    const std::set<sync::ArchiveSyntax>& held) {
  const std::vector<std::string> plain = {UID_LittleEndianExplicitTransferSyntax,
                                          UID_LittleEndianImplicitTransferSyntax};
  std::vector<OutgoingAssociation::Proposal> proposals;
  std::string last_class;
  for (const sync::ArchiveSyntax& syntax : held) {
    if (syntax.sop_class_uid != last_class) proposals.push_back({syntax.sop_class_uid, plain});
    last_class = syntax.sop_class_uid;
    proposals.push_back({syntax.sop_class_uid, {syntax.transfer_syntax_uid}});
  }
  if (proposals.size() > kContextsMax) proposals.resize(kContextsMax);
  return proposals;
}

const SendContext* ObjectSender::choose(const sync::ArchiveInstance& instance) const {
  const auto first = [&](const std::function<bool(const std::string&)>& suits) {
    const auto found =
        std::find_if(contexts_.begin(), contexts_.end(), [&](const SendContext& context) {
          return context.abstract_syntax == instance.sop_class_uid &&
                 suits(context.transfer_syntax);
        });
    return found == contexts_.end() ? nullptr : &*found;
  };
  const std::string& held = instance.transfer_syntax_uid;
  if (const SendContext* same = first([&](const std::string& uid) { return uid == held; }))
    return same;
  return first([&](const std::string& uid) { return can_decode(held, uid); });
}

ObjectSender::Outcome ObjectSender::fail(std::string reason) {
  reason_ = std::move(reason);
  return Outcome::failed;
}

ObjectSender::Outcome ObjectSender::send(crypto::ObjectStore& objects,
                                         const sync::RetrievedInstance& retrieved,
                                         const std::string& now) {
  reason_.clear();
  status_.reset();
  const sync::ArchiveInstance& instance = retrieved.instance;
  if (!instance.is_held) return fail("its bytes are not here any more");
  const SendContext* context = choose(instance);
  if (context == nullptr)
    return fail(cat("the peer takes no ", instance.sop_class_uid, " in a transfer syntax that ",
                    instance.transfer_syntax_uid, " can be given in"));
  auto reader = objects.open_object(instance.object_id);
  if (!reader.ok()) return fail(reader.error().message());
  message_id_ = association_.nextMsgID++;
  const bool as_held = context->transfer_syntax == instance.transfer_syntax_uid;
  if (as_held && !retrieved.patient.is_corrected) return send_stored(**reader, instance, *context);
  const std::lock_guard one_at_a_time(decoding());
  return send_decoded(std::move(*reader), retrieved, *context, now);
}

T_DIMSE_C_StoreRQ ObjectSender::request_of(const sync::ArchiveInstance& instance) const {
  T_DIMSE_C_StoreRQ request{};
  request.MessageID = message_id_;
  request.Priority = DIMSE_PRIORITY_MEDIUM;
  request.DataSetType = DIMSE_DATASET_PRESENT;
  OFStandard::strlcpy(request.AffectedSOPClassUID, instance.sop_class_uid.c_str(),
                      sizeof request.AffectedSOPClassUID);
  OFStandard::strlcpy(request.AffectedSOPInstanceUID, instance.sop_instance_uid.c_str(),
                      sizeof request.AffectedSOPInstanceUID);
  if (!origin_.ae_title.empty()) {
    request.opts = O_STORE_MOVEORIGINATORAETITLE | O_STORE_MOVEORIGINATORID;
    OFStandard::strlcpy(request.MoveOriginatorApplicationEntityTitle, origin_.ae_title.c_str(),
                        sizeof request.MoveOriginatorApplicationEntityTitle);
    request.MoveOriginatorID = origin_.message_id;
  }
  return request;
}

bool ObjectSender::send_command(const sync::ArchiveInstance& instance,
                                T_ASC_PresentationContextID context) {
  DcmDataset command;
  (void)command.putAndInsertUint32(DCM_CommandGroupLength, 0);
  (void)command.putAndInsertString(DCM_AffectedSOPClassUID, instance.sop_class_uid.c_str());
  put_number(command, DCM_CommandField, DIMSE_C_STORE_RQ);
  put_number(command, DCM_MessageID, message_id_);
  put_number(command, DCM_Priority, DIMSE_PRIORITY_MEDIUM);
  put_number(command, DCM_CommandDataSetType, DIMSE_DATASET_PRESENT);
  (void)command.putAndInsertString(DCM_AffectedSOPInstanceUID, instance.sop_instance_uid.c_str());
  if (!origin_.ae_title.empty()) {
    (void)command.putAndInsertString(DCM_MoveOriginatorApplicationEntityTitle,
                                     origin_.ae_title.c_str());
    put_number(command, DCM_MoveOriginatorMessageID, origin_.message_id);
  }
  std::string bytes = encode_command(command);
  return !bytes.empty() && send_fragment(context, DUL_COMMANDPDV, bytes.data(), bytes.size(), true);
}

bool ObjectSender::send_fragment(T_ASC_PresentationContextID context, DUL_DATAPDV kind, void* bytes,
                                 std::size_t size, bool is_last) {
  DUL_PDV pdv{size, context, kind, is_last ? OFTrue : OFFalse, bytes};
  DUL_PDVLIST list{};
  list.count = 1;
  list.pdv = &pdv;
  return DUL_WritePDVs(&association_.DULassociation, &list).good();
}

ObjectSender::Outcome ObjectSender::send_stored(crypto::SealedReader& reader,
                                                const sync::ArchiveInstance& instance,
                                                const SendContext& context) {
  // Fragments of even length, except perhaps the last (PS3.8 E.2).
  std::vector<std::byte> buffer(association_.sendPDVLength & ~1ul);
  std::uint64_t offset = instance.data_set_offset;
  std::uint64_t left = instance.data_set_bytes;
  const auto read_next = [&]() -> core::Result<std::size_t> {
    return reader.read(offset, std::span(buffer).first(static_cast<std::size_t>(
                                   std::min<std::uint64_t>(buffer.size(), left))));
  };
  auto got = read_next();
  // Damage in the first chunk is found before anything was sent; later only breaking off is honest.
  if (!got.ok()) return fail(got.error().message());
  if (!send_command(instance, context.id)) return Outcome::broken;
  while (true) {
    if (!got.ok() || got.value() == 0) {
      reason_ = got.ok() ? "it is shorter than it was" : got.error().message();
      return Outcome::broken;
    }
    offset += got.value();
    left -= got.value();
    if (!send_fragment(context.id, DUL_DATASETPDV, buffer.data(), got.value(), left == 0))
      return Outcome::broken;
    if (left == 0) return await_answer();
    got = read_next();
  }
}

ObjectSender::Outcome ObjectSender::send_decoded(std::shared_ptr<crypto::SealedReader> reader,
                                                 const sync::RetrievedInstance& retrieved,
                                                 const SendContext& context,
                                                 const std::string& now) {
  const auto data_set =
      decode_object(std::move(reader), retrieved.instance, context.transfer_syntax);
  if (!data_set.ok()) return fail(data_set.error().message());
  if (retrieved.patient.is_corrected) {
    const core::Status corrected = correct_identity(**data_set, retrieved.patient, now);
    if (!corrected.ok()) return fail(corrected.error().message());
  }
  T_DIMSE_Message message{};
  message.CommandField = DIMSE_C_STORE_RQ;
  message.msg.CStoreRQ = request_of(retrieved.instance);
  if (DIMSE_sendMessageUsingMemoryData(&association_, context.id, &message, nullptr,
                                       data_set->get(), nullptr, nullptr)
          .bad())
    return Outcome::broken;
  return await_answer();
}

ObjectSender::Outcome ObjectSender::await_answer() {
  T_DIMSE_Message message{};
  if (!receive_(message)) return Outcome::broken;
  if (message.CommandField != DIMSE_C_STORE_RSP) {
    reason_ = "the peer answered something else";
    return Outcome::broken;
  }
  const std::uint16_t status = message.msg.CStoreRSP.DimseStatus;
  status_ = status;
  const StoreAnswer answer = store_answer(status);
  if (answer == StoreAnswer::stored) return Outcome::stored;
  reason_ = cat("the peer answered with status ", status_words(status));
  return answer == StoreAnswer::warned ? Outcome::warned : Outcome::failed;
}

}  // namespace gateway::adapters::dicom
