#include "plugins/lm/train/training_point.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"

namespace stillroom::lm {
namespace {

/// Says each field once, to whoever writes and to whoever reads.
template <class Point, class Visit>
void visit_fields(Point& point, Visit visit) {
    visit("step", point.step);
    visit("samples", point.samples);
    visit("tokens", point.tokens);
    visit("skipped", point.skipped);
    visit("nonfinite", point.nonfinite);
    visit("seed", point.seed);
    visit("loss_scale", point.loss_scale);
    visit("scaled_steps", point.scaled_steps);
    visit("overflows", point.overflows);
    visit("seconds", point.seconds);
    visit("validated", point.validated);
    visit("first", point.first);
    visit("last", point.last);
    visit("best", point.best);
}

struct Writer {
    JsonWriter& json;

    void operator()(const char* name, std::int64_t value) {
        json.key(name);
        json.integer(value);
    }
    void operator()(const char* name, double value) {
        json.key(name);
        json.number(value);
    }
    void operator()(const char* name, const std::map<std::string, double>& values) {
        json.key(name);
        json.begin_object();
        for (const auto& [key, value] : values)
            (*this)(key.c_str(), value);
        json.end_object();
    }
};

struct Reader {
    const Json& json;

    void operator()(const char* name, std::int64_t& value) { value = json.at(name).integer(); }
    void operator()(const char* name, double& value) { value = json.at(name).number(); }
    void operator()(const char* name, std::map<std::string, double>& values) {
        for (const Json::Member& member : json.at(name).map())
            values[member.key] = member.value.number();
    }
};

}  // namespace

std::string point_text(const TrainingPoint& point) {
    JsonWriter json(2);
    json.begin_object();
    visit_fields(point, Writer{json});
    json.end_object();
    return json.take() + "\n";
}

TrainingPoint parse_point(std::string_view text) {
    Json json = Json::parse(text);
    TrainingPoint point;
    visit_fields(point, Reader{json});
    if (point_text(point) != text)
        throw Error({}, "state.json is not as it was written").exit_code(kExitBadInput);
    return point;
}

}  // namespace stillroom::lm
