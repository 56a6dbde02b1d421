// How the gateway names its software in files and associations (PS3.7 D.3.3.2, PS3.10 7.1).
#pragma once

namespace gateway::adapters::dicom {

/// From UUID 436b3e01-c9ae-4bd8-b221-868f6fe91baf (PS3.5 B.2).
inline constexpr char kImplementationClassUid[] = "2.25.89615109132493377200160386267465980847";
inline constexpr char kImplementationVersionName[] = "CLINICGATEWAY";

}  // namespace gateway::adapters::dicom
