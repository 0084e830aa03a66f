#include "engine/plugin/plugin.h"

#include "tests/plugins/toy/big.h"
#include "tests/plugins/toy/fail.h"
#include "tests/plugins/toy/outside.h"
#include "tests/plugins/toy/texts.h"
#include "tests/plugins/toy/work.h"

STILLROOM_PLUGIN("toy", "0.1.0") {
    registry.add<stillroom::toy::Big>();
    registry.add<stillroom::toy::Count>();
    registry.add<stillroom::toy::Data>();
    registry.add<stillroom::toy::Env>();
    registry.add<stillroom::toy::Export>();
    registry.add<stillroom::toy::Fail>();
    registry.add<stillroom::toy::Join>();
    registry.add<stillroom::toy::Noop>();
    registry.add<stillroom::toy::Ranks>();
    registry.add<stillroom::toy::Read>();
    registry.add<stillroom::toy::Sleep>();
    registry.add<stillroom::toy::Source>();
    registry.add<stillroom::toy::Upper>();
    registry.add<stillroom::toy::Write>();
}
