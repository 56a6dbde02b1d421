// Images that were withdrawn by a modality's rejection note, or by a person's (IHE IOCM).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "adapters/dicom/rejection_note.h"
#include "sync/replica.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using ::testing::HasSubstr;

class RejectionTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    for (const char* name : {"sent", "got"})
      std::filesystem::create_directory(folder_ + "/" + name);
    read_rejection_ = read_rejection_note;
    unlock();
    serve();
  }

  static constexpr char kStudy[] = "1.2.826.0.1.3680043.10.1";
  static std::string uid(int number) { return cat("1.2.826.0.1.3680043.10.1.1.", number); }

  void send(DcmFileFormat& file, const std::string& name) {
    const std::string path = cat(folder_, "/sent/", name);
    ASSERT_TRUE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
    const Ran ran = run("storescu", path);
    ASSERT_EQ(ran.status, 0) << ran.output;
  }
  void send_image(int number, const char* study = kStudy) {
    DcmFileFormat file;
    fill_ct(*file.getDataset(), number);
    put(*file.getDataset(), DCM_StudyInstanceUID, study);
    put(*file.getDataset(), DCM_SeriesInstanceUID, cat(study, ".1"));
    send(file, cat(number, ".dcm"));
  }
  /// As a modality would write it, over images of `evidence`.
  void send_note(const std::vector<std::string>& images, const char* title = "113037",
                 const char* evidence = kStudy, const char* number = "9") {
    DcmFileFormat file;
    DcmDataset& note = *file.getDataset();
    put(note, DCM_SOPClassUID, std::string(sync::kKeyObjectSelection));
    put(note, DCM_SOPInstanceUID, cat(kStudy, ".9.", number));
    put(note, DCM_StudyInstanceUID, kStudy);
    put(note, DCM_SeriesInstanceUID, cat(kStudy, ".9"));
    put(note, DCM_PatientID, "P1");
    put(note, DCM_Modality, "KO");
    DcmItem* item = nullptr;
    ASSERT_TRUE(note.findOrCreateSequenceItem(DCM_ConceptNameCodeSequence, item, 0).good());
    put(*item, DCM_CodeValue, title);
    put(*item, DCM_CodingSchemeDesignator, "DCM");
    DcmItem* study = nullptr;
    ASSERT_TRUE(
        note.findOrCreateSequenceItem(DCM_CurrentRequestedProcedureEvidenceSequence, study, 0)
            .good());
    put(*study, DCM_StudyInstanceUID, evidence);
    DcmItem* series = nullptr;
    ASSERT_TRUE(study->findOrCreateSequenceItem(DCM_ReferencedSeriesSequence, series, 0).good());
    put(*series, DCM_SeriesInstanceUID, cat(evidence, ".1"));
    for (const std::string& image : images) {
      ASSERT_TRUE(series->findOrCreateSequenceItem(DCM_ReferencedSOPSequence, item, -2).good());
      put(*item, DCM_ReferencedSOPClassUID, kCtImageStorage);
      put(*item, DCM_ReferencedSOPInstanceUID, image);
    }
    send(file, cat("note", number, ".dcm"));
  }

  std::string find(const std::string& keys) { return run("findscu", cat("-S ", keys)).output; }
  std::string images() {
    return find(
        cat("-k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=", kStudy, " -k SOPInstanceUID"));
  }
  std::string studies() {
    return find(
        "-k QueryRetrieveLevel=STUDY -k StudyInstanceUID -k ModalitiesInStudy"
        " -k NumberOfStudyRelatedSeries -k NumberOfStudyRelatedInstances");
  }
  std::int64_t queued(int number) {
    return count(
        cat("SELECT count(*) FROM outbox o JOIN dicom_instance i ON o.subject ="
            " CAST(i.row AS TEXT) WHERE o.kind = 'instance' AND i.sop_instance_uid = '",
            uid(number), "'"));
  }
  core::Json imaging_study() {
    auto made = door_.get()->database().read_value<core::Json>([](crypto::Connection& connection) {
      return sync::imaging_study_resource(connection, sync::imaging_study_id_of(kStudy), "UTC");
    });
    EXPECT_TRUE(made.ok());
    return made.ok() ? *made : core::Json();
  }
  core::Result<Withdrawn> withdraw_by_hand(Withdrawal wish) {
    return withdraw(door_.get(), core::system_clock(), wish);
  }
};

TEST_F(RejectionTest, AModalitysNoteHidesWhatItNamesAndGoesToThePacs) {
  send_image(1);
  send_image(2);
  send_note({uid(1)});
  EXPECT_THAT(images(), HasSubstr(uid(2)));
  EXPECT_THAT(images(), Not(HasSubstr(uid(1))));
  EXPECT_THAT(studies(), HasSubstr("[CT]")) << "the note is not shown either";
  EXPECT_EQ(
      run("getscu", cat("-S -od ", folder_,
                        "/got -k QueryRetrieveLevel=IMAGE -k "
                        "StudyInstanceUID=",
                        kStudy, " -k SeriesInstanceUID=", kStudy, ".1 -k SOPInstanceUID=", uid(1)))
          .status,
      0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/got"));
  EXPECT_EQ(imaging_study()["numberOfInstances"].number_text(), "1");
  EXPECT_EQ(imaging_study()["status"].text(), "available");
  EXPECT_EQ(queued(1), 0) << "it goes to no PACS any more";
  EXPECT_EQ(queued(2), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox o JOIN dicom_instance i ON o.subject = CAST(i.row AS"
                  " TEXT) WHERE o.kind = 'instance' AND o.state = 'waiting' AND i.rejection = 2"),
            1);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'withdraw' AND actor LIKE 'ae:%'"
                  " AND outcome = '1 images, DCM 113037'"),
            1);
  EXPECT_EQ(instances(), 3) << "nothing is deleted";
}

TEST_F(RejectionTest, ANoteActsOnWhatComesAfterIt) {
  send_note({uid(1), uid(2)}, "113038");
  send_image(1);
  send_image(3);
  EXPECT_THAT(images(), Not(HasSubstr(uid(1))));
  EXPECT_THAT(images(), HasSubstr(uid(3)));
  EXPECT_EQ(queued(1), 0);
}

TEST_F(RejectionTest, AStudyOfWhichNothingStandsIsNotThere) {
  send_image(1);
  send_note({uid(1)}, "113001");
  EXPECT_THAT(studies(), Not(HasSubstr(kStudy)));
  EXPECT_EQ(imaging_study()["status"].text(), "entered-in-error");
  EXPECT_TRUE(imaging_study()["series"].is_null()) << "FHIR knows no empty list";
  EXPECT_TRUE(imaging_study()["modality"].is_null());
}

TEST_F(RejectionTest, ANoteOfAnotherTitleOrOfAnotherStudyWithdrawsNothing) {
  send_image(1);
  send_image(2, "1.2.3.4");
  send_note({uid(1)}, "113000", kStudy, "1");
  send_note({uid(2)}, "113037", "1.2.3.4", "2");
  EXPECT_THAT(images(), HasSubstr(uid(1)));
  EXPECT_EQ(queued(1) + queued(2), 2);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance WHERE rejection = 1"), 0);
}

TEST_F(RejectionTest, ANoteThatCannotBeReadIsKept) {
  DcmFileFormat file;
  fill_ct(*file.getDataset(), 7);
  put(*file.getDataset(), DCM_SOPClassUID, std::string(sync::kKeyObjectSelection));
  send(file, "7.dcm");
  EXPECT_EQ(instances(), 1);
  EXPECT_THAT(images(), HasSubstr(uid(7)));
}

TEST_F(RejectionTest, APersonWithdrawsAndTakesItBack) {
  for (const int number : {1, 2, 3}) send_image(number);
  ASSERT_TRUE(withdraw_by_hand({kStudy, "", {uid(2)}, "wrong-patient"}).ok());
  EXPECT_THAT(images(), Not(HasSubstr(uid(2))));
  const auto rest = withdraw_by_hand({kStudy, cat(kStudy, ".1"), {}, "quality"});
  ASSERT_TRUE(rest.ok()) << rest.error().message();
  EXPECT_EQ(rest->images, 2U) << "what stands";
  EXPECT_THAT(studies(), Not(HasSubstr(kStudy)));
  EXPECT_EQ(queued(1) + queued(2) + queued(3), 0);

  const auto restored = sync::restore_rejected(*door_.get(), core::system_clock(), kStudy);
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(*restored, 3);
  for (const int number : {1, 2, 3}) {
    EXPECT_THAT(images(), HasSubstr(uid(number)));
    EXPECT_EQ(queued(number), 1);
  }
  EXPECT_EQ(sync::restore_rejected(*door_.get(), core::system_clock(), kStudy).error().code(),
            core::Code::not_found);
}

TEST_F(RejectionTest, AWishThatMakesNoSenseIsRefusedInWords) {
  send_image(1);
  EXPECT_THAT(withdraw_by_hand({kStudy, "", {}, "because"}).error().message(),
              HasSubstr("wrong-patient"));
  EXPECT_EQ(withdraw_by_hand({"1.2.3", "", {}, "quality"}).error().code(), core::Code::not_found);
  EXPECT_EQ(withdraw_by_hand({kStudy, "", {uid(1), uid(5)}, "quality"}).error().code(),
            core::Code::not_found);
  EXPECT_THAT(images(), HasSubstr(uid(1)));
}

TEST_F(RejectionTest, TheNoteWrittenHereIsAKeyObjectSelectionDocument) {
  send_image(1);
  ASSERT_TRUE(withdraw_by_hand({kStudy, "", {}, "wrong-entry"}).ok());
  std::string object;
  ASSERT_TRUE(door_.get()
                  ->database()
                  .read([&](crypto::Connection& connection) -> core::Status {
                    GW_TRY(const auto id, connection.text("SELECT object_id FROM dicom_instance"
                                                          " WHERE rejection = 2"));
                    object = id.value_or("");
                    return {};
                  })
                  .ok());
  const auto reader = door_.get()->objects().open_object(object);
  ASSERT_TRUE(reader.ok());
  std::string bytes((*reader)->size(), '\0');
  ASSERT_TRUE((*reader)->read(0, std::as_writable_bytes(std::span(bytes))).ok());
  std::ofstream(folder_ + "/note.dcm", std::ios::binary) << bytes;
  const Ran dump = run_command(cat("dsrdump +Pl ", folder_, "/note.dcm 2>&1"));
  EXPECT_EQ(dump.status, 0) << dump.output;
  EXPECT_THAT(dump.output, HasSubstr("Incorrect Modality Worklist Entry"));
  EXPECT_THAT(dump.output, Not(HasSubstr("E: ")));
  const Ran elements = run_command(cat("dcmdump ", folder_, "/note.dcm 2>&1"));
  EXPECT_THAT(elements.output, HasSubstr(uid(1)));
  EXPECT_THAT(elements.output, HasSubstr("Roe^Jane"));
}

}  // namespace
}  // namespace gateway::adapters::dicom
