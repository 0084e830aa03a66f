#include "engine/plugin/plugin.h"

#include "plugins/data/blend.h"
#include "plugins/data/inspect.h"
#include "plugins/data/mock.h"
#include "plugins/data/open.h"
#include "plugins/data/sample.h"
#include "plugins/data/tokenize.h"
#include "plugins/data/tokenizer.h"

STILLROOM_PLUGIN("data", "0.1.0") {
    registry.add<stillroom::data::Blend>();
    registry.add<stillroom::data::Inspect>();
    registry.add<stillroom::data::Mock>();
    registry.add<stillroom::data::NameTokenizer>();
    registry.add<stillroom::data::Open>();
    registry.add<stillroom::data::Sample>();
    registry.add<stillroom::data::Tokenize>();
}
