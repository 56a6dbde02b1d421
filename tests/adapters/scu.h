// A service class user for the tests: DCMTK's own requester side, with commands that may lie.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gateway::adapters::dicom {

class Scu {
 public:
  /// Proposes CT storage, a private class, Verification and Modality Worklist, explicit little
  /// endian. Null when the association was not accepted; `rejected` then holds the reason.
  static std::unique_ptr<Scu> connect(std::uint16_t port, const std::string& called,
                                      T_ASC_RejectParametersReason* rejected = nullptr);
  ~Scu();

  std::uint16_t echo();
  struct Stored {
    std::uint16_t status = 0xffff;  // 0xffff: no answer
    std::string comment;
  };
  /// `command_uid`: the SOP Instance UID the command names; empty: the data set's.
  Stored store(DcmDataset& data_set, const std::string& command_uid = "");
  /// The data set in fragments of `cut` bytes, as DCMTK would never send it.
  Stored store_in_fragments(DcmDataset& data_set, std::size_t cut);
  /// Sends the command and then only the first half of the data set, and hangs up.
  void break_off_store(DcmDataset& data_set);
  struct Found {
    std::uint16_t status = 0xffff;
    std::vector<std::uint16_t> pending;
    std::vector<std::unique_ptr<DcmDataset>> identifiers;
  };
  /// Sends a C-CANCEL after `cancel_after` answers, if not 0.
  Found find(DcmDataset& keys, std::size_t cancel_after = 0);
  /// A query whose identifier is sent as it is; answers the first answer's status.
  std::uint16_t find_encoded(const std::string& identifier);
  /// A command set of these bytes; answers whether the server still talks.
  bool command_encoded(const std::string& command);
  /// One N-CREATE or N-SET of a performed procedure step; an empty `uid` is left out of a creation.
  struct StepAnswer {
    std::uint16_t status = 0xffff;
    std::string uid;  // the answer names it
    std::uint16_t error_id = 0;
  };
  StepAnswer create_step(DcmDataset& attributes, const std::string& uid);
  StepAnswer set_step(DcmDataset& attributes, const std::string& uid);
  void release();

 private:
  Scu() = default;
  T_ASC_PresentationContextID context_for(const char* abstract_syntax) const;
  StepAnswer await_step_answer();
  std::uint16_t await_status();
  void send_store_command(const T_DIMSE_C_StoreRQ& request);
  void send_fragment(T_ASC_PresentationContextID context, DUL_DATAPDV kind, std::string bytes,
                     bool last);
  T_ASC_Network* network_ = nullptr;
  T_ASC_Association* association_ = nullptr;
};

}  // namespace gateway::adapters::dicom
