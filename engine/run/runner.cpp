#include "engine/run/runner.h"

namespace stillroom {

StageRun::~StageRun() = default;
Runner::~Runner() = default;

}  // namespace stillroom
