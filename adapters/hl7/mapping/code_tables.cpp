#include "adapters/hl7/mapping/code_tables.h"

#include <algorithm>

namespace gateway::adapters::hl7 {
namespace {

constexpr CodeRow kGenderRows[] = {{"F", "female"},  {"M", "male"},  {"O", "other"},
                                   {"U", "unknown"}, {"A", "other"}, {"N", "other"}};
constexpr CodeRow kNameUseRows[] = {
    {"BAD", "old"},    {"D", "usual"},  {"L", "official"}, {"M", "maiden"},  {"MSK", "anonymous"},
    {"N", "nickname"}, {"NAV", "temp"}, {"R", "official"}, {"TEMP", "temp"}, {"NOUSE", "old"}};
constexpr CodeRow kAddressUseRows[] = {{"H", "home"}, {"L", "home"},    {"P", "home"},
                                       {"B", "work"}, {"O", "work"},    {"C", "temp"},
                                       {"BA", "old"}, {"BI", "billing"}};
constexpr CodeRow kAddressTypeRows[] = {{"M", "postal"}, {"SH", "postal"}};
constexpr CodeRow kContactUseRows[] = {
    {"PRN", "home"}, {"WPN", "work"}, {"PRS", "mobile"}, {"VHN", "home"}};
constexpr CodeRow kContactSystemRows[] = {
    {"PH", "phone"}, {"FX", "fax"},         {"MD", "other"},    {"CP", "phone"},  {"SAT", "other"},
    {"BP", "pager"}, {"Internet", "email"}, {"X.400", "email"}, {"TDD", "other"}, {"TTY", "other"}};
constexpr CodeRow kEncounterClassRows[] = {
    {"E", "EMER"}, {"I", "IMP"}, {"O", "AMB"}, {"P", "PRENC"}};
constexpr CodeRow kEncounterStatusRows[] = {
    {"A01", "in-progress"}, {"A02", "in-progress"}, {"A03", "finished"},
    {"A04", "planned"},     {"A05", "planned"},     {"A06", "in-progress"},
    {"A07", "in-progress"}, {"A11", "cancelled"},   {"A13", "in-progress"}};
// B, V: reviewed, so final. I, O: no result yet. N: not asked. R: entered, not verified. S:
// partial. U: "changes to final without a resend".
constexpr CodeRow kObservationStatusRows[] = {{"A", "amended"},     {"B", "final"},
                                              {"C", "corrected"},   {"D", "entered-in-error"},
                                              {"F", "final"},       {"I", "registered"},
                                              {"N", "final"},       {"O", "registered"},
                                              {"P", "preliminary"}, {"R", "preliminary"},
                                              {"S", "preliminary"}, {"U", "final"},
                                              {"V", "final"},       {"W", "entered-in-error"},
                                              {"X", "cancelled"}};
constexpr CodeRow kReportStatusRows[] = {
    {"O", "registered"},  {"I", "registered"}, {"S", "registered"}, {"A", "partial"},
    {"P", "preliminary"}, {"C", "corrected"},  {"R", "partial"},    {"F", "final"},
    {"X", "cancelled"},   {"M", "partial"},    {"N", "registered"}};
// CA and HD ask for what is not granted yet: the order stands where it stood.
constexpr CodeRow kOrderControlRows[] = {
    {"AF", "active"},    {"CR", "revoked"}, {"DC", "revoked"}, {"DF", "revoked"}, {"DR", "revoked"},
    {"FU", "completed"}, {"HR", "on-hold"}, {"NW", "active"},  {"OC", "revoked"}, {"OD", "revoked"},
    {"OH", "on-hold"},   {"OK", "active"},  {"PR", "active"},  {"PY", "active"},  {"RL", "active"},
    {"RO", "active"},    {"RQ", "active"}};
constexpr CodeRow kOrderStatusRows[] = {
    {"CA", "revoked"},          {"CM", "completed"}, {"DC", "revoked"},
    {"ER", "entered-in-error"}, {"HD", "on-hold"},   {"IP", "active"},
    {"RP", "revoked"},          {"SC", "active"},    {"A", "active"}};
constexpr CodeRow kOrderPriorityRows[] = {{"S", "stat"},   {"A", "asap"},   {"R", "routine"},
                                          {"P", "urgent"}, {"C", "urgent"}, {"T", "urgent"}};
// P: asked for, and nobody has said no.
constexpr CodeRow kReferralStatusRows[] = {
    {"A", "active"}, {"E", "revoked"}, {"P", "active"}, {"R", "revoked"}};
constexpr CodeRow kAppointmentStatusRows[] = {
    {"pending", "pending"},          {"waitlist", "waitlist"},  {"booked", "booked"},
    {"started", "checked-in"},       {"complete", "fulfilled"}, {"cancelled", "cancelled"},
    {"deleted", "entered-in-error"}, {"noshow", "noshow"},      {"overbook", "booked"},
    {"discontinued", "cancelled"}};
constexpr CodeRow kAppointmentEventRows[] = {
    {"S12", "booked"},    {"S13", "booked"},           {"S14", "booked"}, {"S15", "cancelled"},
    {"S16", "cancelled"}, {"S17", "entered-in-error"}, {"S26", "noshow"}};
constexpr CodeRow kImmunizationStatusRows[] = {
    {"CP", "completed"}, {"RE", "not-done"}, {"NA", "not-done"}, {"PA", "completed"}};
constexpr CodeRow kDocumentStatusRows[] = {
    {"DI", "preliminary"}, {"DO", "final"}, {"IP", "preliminary"}, {"IN", "preliminary"},
    {"PA", "preliminary"}, {"AU", "final"}, {"LA", "final"}};

// UN, not yet to be used: nobody withdrew it, TXA-17 says that it is a draft.
constexpr CodeRow kDocumentAvailabilityRows[] = {
    {"AV", "current"}, {"CA", "entered-in-error"}, {"OB", "superseded"}, {"UN", "current"}};
constexpr CodeRow kMaritalStatusRows[] = {
    {"A", "v3-MaritalStatus#L"}, {"B", "v3-MaritalStatus#U"}, {"C", "v3-MaritalStatus#C"},
    {"D", "v3-MaritalStatus#D"}, {"E", "v3-MaritalStatus#L"}, {"G", "v3-MaritalStatus#T"},
    {"I", "v3-MaritalStatus#I"}, {"M", "v3-MaritalStatus#M"}, {"N", "v3-MaritalStatus#A"},
    {"O", "v3-NullFlavor#OTH"},  {"P", "v3-MaritalStatus#T"}, {"R", "v3-MaritalStatus#T"},
    {"S", "v3-MaritalStatus#S"}, {"T", "v3-NullFlavor#NAVU"}, {"U", "v3-NullFlavor#UNK"},
    {"W", "v3-MaritalStatus#W"}};
constexpr CodeRow kRelationshipRows[] = {{"BRO", "v3-RoleCode#BRO"},
                                         {"CHD", "v3-RoleCode#CHILD"},
                                         {"DOM", "v3-RoleCode#SIGOTHR"},
                                         {"EMC", "v2-0131#C"},
                                         {"EMR", "v2-0131#E"},
                                         {"EXF", "v3-RoleCode#EXT"},
                                         {"FCH", "v3-RoleCode#CHLDFOST"},
                                         {"FND", "v3-RoleCode#FRND"},
                                         {"FTH", "v3-RoleCode#FTH"},
                                         {"GCH", "v3-RoleCode#GRNDCHILD"},
                                         {"GRP", "v3-RoleCode#GRPRN"},
                                         {"MTH", "v3-RoleCode#MTH"},
                                         {"NCH", "v3-RoleCode#NCHILD"},
                                         {"OTH", "v2-0131#O"},
                                         {"PAR", "v3-RoleCode#PRN"},
                                         {"SCH", "v3-RoleCode#STPCHLD"},
                                         {"SEL", "v3-RoleCode#ONESELF"},
                                         {"SIB", "v3-RoleCode#SIB"},
                                         {"SIS", "v3-RoleCode#SIS"},
                                         {"SPO", "v3-RoleCode#SPS"},
                                         {"UNK", "v2-0131#U"}};
constexpr CodeRow kSpecimenStatusRows[] = {{"N", "unavailable"}, {"Y", "available"}};

// The codes of the tables whose fields hold a code of the standard or a site's own.
constexpr CodeRow kStandardCodes[] = {
    {"0002", " A B C D E G I M N O P R S T U W "},
    // Those that v3-ObservationInterpretation has and the IG maps.
    {"0078",
     " < > A AA B CAR D DET E EX EXP H HH HU I IE IND L LL LU MS N NCL ND NEG NR NS POS R RR S SDD "
     "SYN-R SYN-S U UNE VS W WR "},
    {"0063",
     " ASC BRO CGV CHD DEP DOM EMC EME EMR EXF FCH FND FTH GCH GRD GRP MGR MTH NCH NON OAD "
     "OTH OWN PAR SCH SEL SIB SIS SPO TRA UNK WRD "},
    {"0203",
     " AC ACSN AM AMA AN ANC AND ANON ANT APRN ASID BA BC BCFN BCT BR BRN BSNR CC CONM CY "
     "CZ DC DCFN DDS DEA DFN DI DL DN DO DP DPM DR DS EI EN ESN FDR FDRFN FI FILL GI GL GN "
     "HC IND JHN LACSN LANR LI LN LR MA MB MC MCD MCN MCR MCT MD MI MR MRT MS NBSNR NCT NE "
     "NH NI NII NIIP NP NPI OBI OD PA PC PCN PE PEN PHC PHE PHO PI PLAC PN PNT PPIN PPN "
     "PRC PRN PT QA RI RN RPH RR RRI RRP SB SID SL SN SNBSN SNO SP SR SS STN TAX TN TPR "
     "TRL U UDI UPIN USID VN VP VS WC WCN WP XV XX "},
    {"0074",
     " AU BG BLB CG CH CP CT CTH CUS EC EN GE HM ICU IMG IMM LAB MB MCB MYC NMR NMS NRS "
     "OSL OT OTH OUS PAR PAT PF PHR PHY PT RAD RC RT RUS RX SP SR TX URN VR VUS XRC "},
    {"0007", " A C E L N R U "},
    {"0009", " A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B1 B2 B3 B4 B5 B6 "},
    {"0023", " 1 2 3 4 5 6 7 8 9 "},
    {"0069", " CAR MED PUL SUR URO "},
    {"0092", " R "},
    {"0112", " 01 02 03 04 05 06 07 08 09 20 30 40 41 42 "},
    {"0131", " C E F I N O S U "},
    {"0270", " AR CD CN DI DS ED HP OP PC PH PN PR SP TS "},
    {"0272", " R U V "},
    {"639-1",
     " aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv "
     "cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr "
     "ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw "
     "ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv "
     "ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr "
     "ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi "
     "yo za zh zu "}};

}  // namespace

bool is_standard_code(std::string_view table, std::string_view code) {
  const std::string codes = code_of(kStandardCodes, table);
  const std::string blank = " ";
  return code.find(' ') == std::string_view::npos &&
         codes.find(blank + std::string(code) + blank) != std::string::npos;
}

std::string to_upper_letter(std::string_view code) {
  std::string letter(code);
  if (letter.size() == 1 && letter[0] >= 'a' && letter[0] <= 'z')
    letter[0] = static_cast<char>(letter[0] - 'a' + 'A');
  return letter;
}

std::string code_of(CodeTable table, std::string_view v2) {
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const CodeRow& one) { return one.v2 == v2; });
  return row == table.end() ? std::string() : std::string(row->fhir);
}

const CodeTable kGender = kGenderRows;
const CodeTable kNameUse = kNameUseRows;
const CodeTable kAddressUse = kAddressUseRows;
const CodeTable kAddressType = kAddressTypeRows;
const CodeTable kContactUse = kContactUseRows;
const CodeTable kContactSystem = kContactSystemRows;
const CodeTable kEncounterClass = kEncounterClassRows;
const CodeTable kEncounterStatus = kEncounterStatusRows;
const CodeTable kObservationStatus = kObservationStatusRows;
const CodeTable kReportStatus = kReportStatusRows;
const CodeTable kOrderControl = kOrderControlRows;
const CodeTable kOrderStatus = kOrderStatusRows;
const CodeTable kOrderPriority = kOrderPriorityRows;
const CodeTable kReferralStatus = kReferralStatusRows;
const CodeTable kAppointmentStatus = kAppointmentStatusRows;
const CodeTable kAppointmentEvent = kAppointmentEventRows;
const CodeTable kImmunizationStatus = kImmunizationStatusRows;
const CodeTable kDocumentStatus = kDocumentStatusRows;
const CodeTable kDocumentAvailability = kDocumentAvailabilityRows;
const CodeTable kMaritalStatus = kMaritalStatusRows;
const CodeTable kRelationship = kRelationshipRows;
const CodeTable kSpecimenStatus = kSpecimenStatusRows;

}  // namespace gateway::adapters::hl7
