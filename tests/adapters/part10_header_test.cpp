#include "adapters/dicom/part10_header.h"

#include <gtest/gtest.h>

#include "adapters/dicom/identity.h"
#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

TEST(Part10Header, IsReadByDcmtkWithTheDataSetBehindIt) {
  DcmDataset data_set;
  fill_ct(data_set, 7);
  const std::string body = encode(data_set, EXS_LittleEndianExplicit);
  const auto header = part10_header(kCtImageStorage, "1.2.826.0.1.3680043.10.1.1.7",
                                    UID_LittleEndianExplicitTransferSyntax, {"CT1", "STAT"});
  std::string file(reinterpret_cast<const char*>(header.data()), header.size());
  file += body;

  DcmInputBufferStream stream;
  stream.setBuffer(file.data(), static_cast<offile_off_t>(file.size()));
  stream.setEos();
  DcmFileFormat read;
  read.transferInit();
  ASSERT_TRUE(read.read(stream).good());
  read.transferEnd();
  const auto meta = [&read](const DcmTagKey& tag) {
    OFString value;
    EXPECT_TRUE(read.getMetaInfo()->findAndGetOFString(tag, value).good());
    return std::string(value.c_str());
  };
  EXPECT_EQ(meta(DCM_MediaStorageSOPClassUID), kCtImageStorage);
  EXPECT_EQ(meta(DCM_MediaStorageSOPInstanceUID), "1.2.826.0.1.3680043.10.1.1.7");
  EXPECT_EQ(meta(DCM_TransferSyntaxUID), UID_LittleEndianExplicitTransferSyntax);
  EXPECT_EQ(meta(DCM_ImplementationClassUID), kImplementationClassUid);
  EXPECT_EQ(meta(DCM_ImplementationVersionName), kImplementationVersionName);
  EXPECT_EQ(meta(DCM_SourceApplicationEntityTitle), "CT1");
  EXPECT_EQ(meta(DCM_ReceivingApplicationEntityTitle), "STAT");
  OFString name;
  EXPECT_TRUE(read.getDataset()->findAndGetOFString(DCM_PatientName, name).good());
  EXPECT_STREQ(name.c_str(), "Roe^Jane");
}

}  // namespace
}  // namespace gateway::adapters::dicom
