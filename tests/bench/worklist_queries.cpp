// A modality that asks the worklist again and again, each time on an association of its own, as
// real ones do; for worklist.py. Prints the milliseconds of each query, a line each, from the
// association's request to its release, and how many answers came.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  (void)item.putAndInsertString(tag, value.c_str());
}

/// By day and modality, patient id, accession number, and the beginning of a name, in turn.
void fill_keys(DcmDataset& keys, long number, long steps) {
  put(keys, DCM_SpecificCharacterSet, "ISO_IR 192");
  for (const DcmTagKey& tag : {DCM_PatientName, DCM_PatientID, DCM_AccessionNumber,
                               DCM_StudyInstanceUID, DCM_RequestedProcedureID})
    (void)keys.insertEmptyElement(tag);
  DcmItem* step = nullptr;
  (void)keys.findOrCreateSequenceItem(DCM_ScheduledProcedureStepSequence, step, 0);
  for (const DcmTagKey& tag : {DCM_Modality, DCM_ScheduledProcedureStepStartDate,
                               DCM_ScheduledProcedureStepStartTime, DCM_ScheduledProcedureStepID})
    (void)step->insertEmptyElement(tag);
  const long which = number * 7919 % steps;
  switch (number % 4) {
    case 0:
      put(keys, DCM_PatientID, "W" + std::to_string(which));
      break;
    case 1:
      put(keys, DCM_AccessionNumber, "A" + std::to_string(which));
      break;
    case 2:
      // At most 50 of 100,000: the family's name and all but the last digit of its number.
      put(keys, DCM_PatientName, "quintanavilla" + std::to_string(which - which % 6) + "*");
      break;
    default: {
      static const char* const modalities[] = {"CT", "MR", "US", "CR", "DX", "MG"};
      put(*step, DCM_Modality, modalities[which % 6]);
      put(*step, DCM_ScheduledProcedureStepStartDate, "20260301");
      put(keys, DCM_PatientName,
          std::string("n\xc3\xba\xc3\xb1"
                      "ez") +
              std::to_string(which % 10) + "*");
    }
  }
}

struct Seen {
  int answers = 0;
};

void take(void* seen, T_DIMSE_C_FindRQ*, int, T_DIMSE_C_FindRSP*, DcmDataset*) {
  ++static_cast<Seen*>(seen)->answers;
}

bool ask(T_ASC_Network* network, const std::string& peer, const std::string& title, long number,
         long steps, Seen& seen) {
  T_ASC_Parameters* parameters = nullptr;
  T_ASC_Association* association = nullptr;
  const char* syntax = UID_LittleEndianExplicitTransferSyntax;
  if (ASC_createAssociationParameters(&parameters, ASC_DEFAULTMAXPDU).bad()) return false;
  (void)ASC_setAPTitles(parameters, "BENCH", title.c_str(), nullptr);
  (void)ASC_setPresentationAddresses(parameters, "localhost", peer.c_str());
  (void)ASC_addPresentationContext(parameters, 1, UID_FINDModalityWorklistInformationModel, &syntax,
                                   1);
  if (ASC_requestAssociation(network, parameters, &association).bad()) return false;
  DcmDataset keys;
  fill_keys(keys, number, steps);
  T_DIMSE_C_FindRQ request{};
  T_DIMSE_C_FindRSP response{};
  DcmDataset* detail = nullptr;
  request.MessageID = association->nextMsgID++;
  OFStandard::strlcpy(request.AffectedSOPClassUID, UID_FINDModalityWorklistInformationModel,
                      sizeof request.AffectedSOPClassUID);
  request.DataSetType = DIMSE_DATASET_PRESENT;
  request.Priority = DIMSE_PRIORITY_MEDIUM;
  int responses = 0;
  const OFCondition found = DIMSE_findUser(association, 1, &request, &keys, responses, take, &seen,
                                           DIMSE_NONBLOCKING, 30, &response, &detail);
  delete detail;
  (void)ASC_releaseAssociation(association);
  (void)ASC_destroyAssociation(&association);
  return found.good() && response.DimseStatus == STATUS_Success;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_worklist_queries PORT AE_TITLE QUERIES STEPS\n");
    return 2;
  }
  const std::string peer = std::string("127.0.0.1:") + argv[1];
  T_ASC_Network* network = nullptr;
  if (ASC_initializeNetwork(NET_REQUESTOR, 0, 30, &network).bad()) return 1;
  for (long number = 0; number < std::atol(argv[3]); ++number) {
    Seen seen;
    const auto begin = std::chrono::steady_clock::now();
    if (!ask(network, peer, argv[2], number, std::atol(argv[4]), seen)) {
      std::fprintf(stderr, "query %ld was not answered with success\n", number);
      return 1;
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.3f %d\n", took.count(), seen.answers);
  }
  (void)ASC_dropNetwork(&network);
  return 0;
}
