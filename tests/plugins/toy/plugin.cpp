#include "engine/plugin/plugin.h"

#include "tests/plugins/toy/texts.h"

STILLROOM_PLUGIN("toy", "0.1.0") {
    registry.add<stillroom::toy::Write>();
    registry.add<stillroom::toy::Join>();
    registry.add<stillroom::toy::Upper>();
}
