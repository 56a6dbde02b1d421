// Query and retrieval of what is held: by DCMTK's findscu, getscu and movescu, byte for byte.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "sync/replica.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
namespace fs = std::filesystem;

class ArchiveTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    for (const char* name : {"sent", "got"}) fs::create_directory(folder_ + "/" + name);
  }

  struct Image {
    int number = 1;
    std::string study = "1.2.826.0.1.3680043.10.1";
    std::string patient_id = "P1";
    std::string patient_name = "Roe^Jane";
    std::string character_set = {};
    E_TransferSyntax syntax = EXS_LittleEndianExplicit;
    std::size_t pixel_bytes = 512;
  };
  std::string write(const Image& image) {
    DcmFileFormat file;
    DcmDataset& data_set = *file.getDataset();
    fill_ct(data_set, image.number, image.pixel_bytes);
    if (!image.character_set.empty()) put(data_set, DCM_SpecificCharacterSet, image.character_set);
    put(data_set, DCM_StudyInstanceUID, image.study);
    put(data_set, DCM_SeriesInstanceUID, image.study + ".1");
    put(data_set, DCM_PatientID, image.patient_id);
    put(data_set, DCM_PatientName, image.patient_name);
    std::string path = cat(folder_, "/sent/", image.number, ".dcm");
    EXPECT_TRUE(file.saveFile(path.c_str(), image.syntax).good());
    return path;
  }
  void send(const std::string& path, const std::string& syntax_option = "") {
    const Ran ran = run("storescu", cat(syntax_option, " ", path));
    EXPECT_EQ(ran.status, 0) << ran.output;
  }
  // By SOP Instance UID: transfer syntax and the data set's bytes as they are in the file.
  struct Content {
    std::string transfer_syntax;
    std::string bytes;
    bool operator==(const Content&) const = default;
  };
  std::map<std::string, Content> contents(const std::string& name) {
    std::map<std::string, Content> all;
    for (const auto& entry : fs::directory_iterator(folder_ + "/" + name)) {
      DcmMetaInfo meta;
      EXPECT_TRUE(meta.loadFile(entry.path().c_str()).good()) << entry.path();
      OFString uid;
      OFString syntax;
      (void)meta.findAndGetOFString(DCM_MediaStorageSOPInstanceUID, uid);
      (void)meta.findAndGetOFString(DCM_TransferSyntaxUID, syntax);
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes{std::istreambuf_iterator<char>(file), {}};
      bytes.erase(0, meta.calcElementLength(EXS_LittleEndianExplicit, EET_ExplicitLength));
      all[uid.c_str()] = {syntax.c_str(), bytes};
    }
    return all;
  }

  std::size_t found(const Ran& ran) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = ran.output.find("Find Response: ", at)) != std::string::npos;
         ++at)
      ++count;
    return count;
  }
  Ran find(const std::string& model, const std::string& keys) {
    return run("findscu", cat("-v ", model, " ", keys));
  }
  Ran get(const std::string& keys, const std::string& options = "") {
    return run("getscu", cat("-v +B -od ", folder_, "/got ", options, " ", keys));
  }

  /// How many rows the audit trail has of retrievals that ended so, naming patient and study.
  std::int64_t trailed(const std::string& outcome) {
    const auto rows = door_.get()->database().read_value<std::optional<std::int64_t>>(
        [&](crypto::Connection& connection) {
          return connection.integer(
              "SELECT count(*) FROM audit WHERE action = 'retrieve' AND outcome = ?"
              " AND patient LIKE 'Patient/%' AND resource LIKE 'ImagingStudy/%'",
              outcome);
        });
    return rows.ok() ? rows->value_or(-1) : -1;
  }

  static constexpr char kStudy[] = "1.2.826.0.1.3680043.10.1";
};

TEST_F(ArchiveTest, FindsAtEveryLevelOfBothRoots) {
  unlock();
  serve();
  send(write({.number = 1}));
  send(write({.number = 2}));
  send(write({.number = 3, .study = "1.2.3.4", .patient_id = "P2", .patient_name = "Doe^John"}));
  const std::string level = "-k QueryRetrieveLevel=";
  EXPECT_EQ(found(find("-P", level + "PATIENT -k PatientName=")), 2u);
  EXPECT_EQ(found(find("-P", level + "PATIENT -k PatientName=roe*")), 1u);
  EXPECT_EQ(found(find("-S", level + "STUDY -k StudyInstanceUID=")), 2u);
  EXPECT_EQ(found(find("-S", level + "STUDY -k PatientID=P2 -k ModalitiesInStudy=CT")), 1u);
  EXPECT_EQ(found(find("-S", level + "STUDY -k ModalitiesInStudy=MR")), 0u);
  EXPECT_EQ(found(find("-S", level + "STUDY -k StudyDate=20260228-20260302")), 2u);
  EXPECT_EQ(found(find("-S", level + "STUDY -k StudyDate=-20260228")), 0u);
  EXPECT_EQ(
      found(find("-S", level + cat("SERIES -k SeriesInstanceUID= -k StudyInstanceUID=", kStudy))),
      1u);
  const Ran images = find("-P", level + cat("IMAGE -k SOPInstanceUID= -k NumberOfFrames= "
                                            "-k PatientID=P1 -k StudyInstanceUID=",
                                            kStudy));
  EXPECT_EQ(found(images), 2u) << images.output;
  const Ran study = find("-S", level + cat("STUDY -k NumberOfStudyRelatedInstances= "
                                           "-k InstanceAvailability= -k StudyInstanceUID=",
                                           kStudy));
  EXPECT_NE(study.output.find("[ONLINE]"), std::string::npos) << study.output;
  EXPECT_NE(study.output.find("IS [2 ]"), std::string::npos);
  EXPECT_NE(study.output.find("[GW]"), std::string::npos) << study.output;
}

TEST_F(ArchiveTest, AQueryThatSaysNoLevelIsRefused) {
  unlock();
  serve();
  for (const char* keys : {"-k PatientName=", "-k QueryRetrieveLevel=PATIENT -k PatientName="}) {
    const Ran ran = find("-S", keys);
    EXPECT_NE(ran.output.find("DataSetDoesNotMatchSOPClass"), std::string::npos) << ran.output;
  }
}

TEST_F(ArchiveTest, LockedItSaysOutOfResources) {
  serve();
  const Ran ran = find("-S", "-k QueryRetrieveLevel=STUDY -k StudyInstanceUID=");
  EXPECT_NE(ran.output.find("OutOfResources"), std::string::npos) << ran.output;
}

TEST_F(ArchiveTest, GetsWhatWasSentByteForByte) {
  unlock();
  serve();
  for (int i = 1; i <= 3; ++i) send(write({.number = i, .pixel_bytes = 700'000}));
  const Ran ran = get(cat("-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=", kStudy));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(contents("got"), contents("sent"));
  EXPECT_EQ(contents("got").size(), 3u);
  EXPECT_EQ(counted("retrieved"), 3);
}

TEST_F(ArchiveTest, GetsOneImageOfAPatient) {
  unlock();
  serve();
  send(write({.number = 1}));
  send(write({.number = 2}));
  const Ran ran = get(
      cat("-P -k QueryRetrieveLevel=IMAGE -k PatientID=P1 -k StudyInstanceUID=", kStudy,
          " -k SeriesInstanceUID=", kStudy, ".1 -k SOPInstanceUID=1.2.826.0.1.3680043.10.1.1.2"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  const auto got = contents("got");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got.begin()->first, "1.2.826.0.1.3680043.10.1.1.2");
}

TEST_F(ArchiveTest, GivesCompressedObjectsAsTheyAreOrDecoded) {
  unlock();
  serve();
  const std::string plain = write({.number = 1});
  const std::string packed = folder_ + "/packed.dcm";
  ASSERT_EQ(run_command(cat("dcmcrle ", plain, " ", packed)).status, 0);
  send(packed, "-xr");
  fs::remove(plain);
  const std::string keys = cat("-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=", kStudy);
  const Ran decoded = get(keys);
  EXPECT_EQ(decoded.status, 0) << decoded.output;
  auto got = contents("got");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got.begin()->second.transfer_syntax, UID_LittleEndianExplicitTransferSyntax);
  fs::rename(packed, folder_ + "/sent/packed.dcm");
  for (const auto& entry : fs::directory_iterator(folder_ + "/got")) fs::remove(entry);
  const Ran as_held = get(keys, "+xr");
  EXPECT_EQ(as_held.status, 0) << as_held.output;
  EXPECT_EQ(contents("got"), contents("sent"));
}

TEST_F(ArchiveTest, MovesToAPeerOfTheSettingsAndToNoOther) {
  DicomPeer viewer{"VIEWER"};
  viewer.host = "127.0.0.1";
  viewer.port = free_port();
  options_.peers = {viewer};
  unlock();
  serve();
  for (int i = 1; i <= 3; ++i) send(write({.number = i, .pixel_bytes = 200'000}));
  const auto move = [&](const std::string& title) {
    // With +B it writes into the folder it runs in.
    return run(cat("cd ", folder_, "/got && movescu"),
               cat("-v -S -aet VIEWER -aem ", title, " +P ", viewer.port,
                   " +B -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=", kStudy));
  };
  const Ran moved = move("VIEWER");
  EXPECT_EQ(moved.status, 0) << moved.output;
  EXPECT_EQ(contents("got"), contents("sent"));
  EXPECT_EQ(counted("retrieved"), 3);
  const Ran refused = move("OTHER");
  EXPECT_NE(refused.output.find("MoveDestinationUnknown"), std::string::npos) << refused.output;
  // Nobody listens there.
  const Ran unreachable =
      run("movescu", cat("-v -S -aet OTHER -aem VIEWER -k QueryRetrieveLevel=STUDY "
                         "-k StudyInstanceUID=",
                         kStudy));
  EXPECT_NE(unreachable.output.find("OutOfResourcesSubOperations"), std::string::npos)
      << unreachable.output;
  EXPECT_EQ(trailed("3 objects asked for, to VIEWER at 127.0.0.1"), 2);
  EXPECT_EQ(trailed("failed: 0 objects sent, to VIEWER at 127.0.0.1"), 1);
}

TEST_F(ArchiveTest, WhatIsGoneCountsAsFailedAndTheRestComes) {
  unlock();
  serve();
  for (int i = 1; i <= 3; ++i) send(write({.number = i}));
  const auto evict = [](crypto::Connection& connection) {
    return connection.run(
        "UPDATE dicom_instance SET state = 'evicted', digest = 'x' WHERE"
        " instance_number = '2'");
  };
  ASSERT_TRUE(door_.get()->database().write(evict).ok());
  const std::string keys = cat("-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=", kStudy);
  const Ran found = find("", keys + " -k InstanceAvailability=");
  EXPECT_NE(found.output.find("[UNAVAILABLE ]"), std::string::npos) << found.output;
  const Ran ran = get(keys);
  EXPECT_EQ(contents("got").size(), 2u);
  EXPECT_NE(ran.output.find("Number of Failed Suboperations"), std::string::npos) << ran.output;
  EXPECT_EQ(counted("retrieved"), 2);
  EXPECT_EQ(trailed("3 objects asked for"), 1);
  EXPECT_EQ(trailed("failed: 2 objects sent"), 1);
}

TEST_F(ArchiveTest, ImagesOfAWrongWorklistEntryAreNotShown) {
  unlock();
  serve();
  send(write({.number = 1}));
  const auto hold = [](crypto::Connection& connection) {
    return connection.run(
        "INSERT INTO performed_step (sop_instance_uid, state, study_uid,"
        " procedure_id, wrong_entry, calling_ae_title, created_at, changed_at,"
        " body) VALUES ('1.1', 'DISCONTINUED', ?, 'x', 1, 'CT', '', '', '{}')",
        kStudy);
  };
  ASSERT_TRUE(door_.get()->database().write(hold).ok());
  const std::string keys = cat("-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=", kStudy);
  EXPECT_EQ(found(find("", keys)), 0u);
  get(keys);
  EXPECT_TRUE(contents("got").empty());
}

TEST_F(ArchiveTest, ACorrectedIdentityShowsAndTheOriginalIsKept) {
  unlock();
  serve();
  send(write({.number = 1, .patient_name = "M\xfcller^J\xf6rg", .character_set = "ISO_IR 100"}));
  put_patient(R"({"resourceType":"Patient","id":"p1","gender":"female","birthDate":"1980-01-02",
    "identifier":[{"system":"urn:oid:2.25.1","value":"P9"}],
    "name":[{"family":"Κουτσού","given":["Άννα"]}]})");
  const std::string keys = cat("-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=", kStudy);
  EXPECT_EQ(found(find("", keys + " -k PatientID=P1")), 0u);
  EXPECT_EQ(found(find("", keys + " -k PatientID=P9 -k PatientName=")), 1u);
  // By index too.
  const std::string any = "-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID= ";
  EXPECT_EQ(found(find("", any + "-k PatientID=P1")), 0u);
  EXPECT_EQ(found(find("", any + "-k PatientID=P9")), 1u);
  const std::string in_utf8 = any + "-k 'SpecificCharacterSet=ISO_IR 192' ";
  EXPECT_EQ(found(find("", in_utf8 + "-k 'PatientName=ΚΟΥΤ*'")), 1u);
  EXPECT_EQ(found(find("", in_utf8 + "-k 'PatientName=muller*'")), 0u);
  const Ran ran = get(keys);
  EXPECT_EQ(ran.status, 0) << ran.output;
  const auto files = fs::directory_iterator(folder_ + "/got");
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile(files->path().c_str()).good());
  DcmDataset& data_set = *file.getDataset();
  OFString text;
  ASSERT_TRUE(data_set.findAndGetOFStringArray(DCM_PatientName, text).good());
  EXPECT_EQ(std::string(text.c_str()), "Κουτσού^Άννα");
  ASSERT_TRUE(data_set.findAndGetOFString(DCM_PatientID, text).good());
  EXPECT_EQ(std::string(text.c_str()), "P9");
  DcmItem* record = nullptr;
  ASSERT_TRUE(data_set.findAndGetSequenceItem(DCM_OriginalAttributesSequence, record).good());
  DcmItem* originals = nullptr;
  ASSERT_TRUE(record->findAndGetSequenceItem(DCM_ModifiedAttributesSequence, originals).good());
  ASSERT_TRUE(originals->findAndGetOFString(DCM_PatientID, text).good());
  EXPECT_EQ(std::string(text.c_str()), "P1");
  ASSERT_TRUE(originals->findAndGetOFStringArray(DCM_PatientName, text).good());
  EXPECT_EQ(std::string(text.c_str()), "Müller^Jörg");
}

TEST_F(ArchiveTest, FindsByIndexWhatIsSentOddlyOrOfAPatientMergedAway) {
  unlock();
  serve();
  const std::string any = "-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID= ";
  const auto count = [&](const std::string& key) { return found(find("", any + "-k " + key)); };
  send(write({.number = 1, .patient_name = "M\xfcller^J\xf6rg", .character_set = "ISO_IR 100"}));
  send(write({.number = 2, .study = "1.2.3.4", .patient_id = "P2", .patient_name = "Doe^John"}));
  EXPECT_EQ(count("PatientName=MULLER"), 0u);
  EXPECT_EQ(count("PatientName=MULLER^*"), 1u);
  EXPECT_EQ(count("PatientName=*john"), 1u);
  EXPECT_EQ(count("StudyDate=20260301"), 2u);
  const auto odd = [](crypto::Connection& connection) {
    return connection.run(
        "UPDATE dicom_study SET study_date = '2026.03.02', name_key = NULL"
        " WHERE patient_id = 'P2'");
  };
  ASSERT_TRUE(door_.get()->database().write(odd).ok());
  EXPECT_EQ(count("StudyDate=20260302-20260303"), 1u);
  EXPECT_EQ(count("PatientName=doe*"), 1u);
  put_patient(R"({"resourceType":"Patient","id":"p1",
    "link":[{"type":"replaced-by","other":{"reference":"Patient/p7"}}]})");
  const auto stays = core::Json::parse(R"({"resourceType":"Patient","id":"p7",
    "identifier":[{"system":"urn:oid:2.25.1","value":"P77"}],"name":[{"family":"Nemo"}]})",
                                       16);
  const auto change = [&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(
        sync::put_resource(connection, {"Patient", "p7"}, *stays, "his", "2026-03-01T00:00:00Z"));
    return {};
  };
  ASSERT_TRUE(door_.get()->database().write(change).ok());
  EXPECT_EQ(count("PatientID=P77"), 2u);
  EXPECT_EQ(count("PatientName=nemo"), 2u);
  EXPECT_EQ(count("PatientName=doe*"), 0u);
}

}  // namespace
}  // namespace gateway::adapters::dicom
