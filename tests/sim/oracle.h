// What must hold once a schedule has healed: nothing lost, nothing doubled, everybody the same.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/clinic.h"
#include "tests/sim/schedule.h"

namespace gateway::sim {

struct Aftermath {
  const std::vector<std::unique_ptr<Clinic>>& clinics;
  const ModelHis& his;
  const Ledger& ledger;
  const crypto::Audit& audit;
};

/// `rests`: queues ran empty and changes ended. Adds what it finds to the verdict.
void judge_result(bool rests, const Aftermath& aftermath, Verdict& verdict);

}  // namespace gateway::sim
