#include "engine/run/job.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr std::size_t kMostNodes = 2'000'000;

void write_texts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
    out.key(key);
    out.begin_array();
    for (const std::string& text : texts)
        out.string(text);
    out.end_array();
}

void write_paths(JsonWriter& out, std::string_view key, const std::vector<fs::path>& paths) {
    out.key(key);
    out.begin_array();
    for (const fs::path& path : paths)
        out.string(path.native());
    out.end_array();
}

/// Reads the fields of one object and refuses what has not the form that job_text gives it.
class Fields {
public:
    Fields(const fs::path& file, const Node& map) : file_(file), map_(map) {}

    [[noreturn]] void refuse(std::string_view key, std::string_view wanted) const {
        throw Error(
            {},
            fmt::format(
                "{} is no job of this stillroom: '{}' is not {}", file_.string(), key, wanted))
            .exit_code(kExitIntegrity);
    }

    const Node& value(std::string_view key, Kind kind, std::string_view wanted) const {
        const Entry* entry = map_.find(key);
        if (!entry || entry->value->kind != kind)
            refuse(key, wanted);
        return *entry->value;
    }

    const std::string& text(std::string_view key) const {
        return value(key, Kind::string, "text").text;
    }
    bool boolean(std::string_view key) const {
        return boolean_value(value(key, Kind::boolean, "true or false"));
    }
    int count(std::string_view key, int least, int most) const {
        double number = double_value(value(key, Kind::integer, "a whole number"));
        if (number < least || number > most)
            refuse(key, fmt::format("from {} to {}", least, most));
        return static_cast<int>(number);
    }
    double seconds(std::string_view key) const {
        const Entry* entry = map_.find(key);
        bool is_number =
            entry && (entry->value->kind == Kind::integer || entry->value->kind == Kind::number);
        double number = is_number ? double_value(*entry->value) : -1;
        if (!(number > 0) || !std::isfinite(number))
            refuse(key, "a time above 0 seconds");
        return number;
    }
    template <class T>
    std::vector<T> list(std::string_view key) const {
        return list_of<T>(key, value(key, Kind::list, "a list"));
    }
    template <class T>
    std::vector<T> list_of(std::string_view key, const Node& list) const {
        std::vector<T> out;
        for (const NodePtr& item : list.items) {
            if (item->kind != Kind::string)
                refuse(key, "a list of texts");
            out.emplace_back(item->text);
        }
        return out;
    }
    template <class T>
    std::map<std::string, T> texts(std::string_view key) const {
        std::map<std::string, T> out;
        for (const Entry& entry : value(key, Kind::map, "a map").entries) {
            if (entry.value->kind != Kind::string)
                refuse(key, "a map of texts");
            out.emplace(entry.key, entry.value->text);
        }
        return out;
    }

private:
    const fs::path& file_;
    const Node& map_;
};

NodePtr parse(const fs::path& file) {
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kMostBytes;
    limits.nodes = kMostNodes;
    const Source& source = sources.add(file.string(), read_file(file, kMostBytes));
    Document document = read_json(source, limits, diagnostics);
    if (!diagnostics.ok()) {
        const Diagnostic& first = diagnostics.all().front();
        throw Error(sources.position(first.where.begin), first.message).exit_code(kExitIntegrity);
    }
    return document.root;
}

}  // namespace

std::string job_text(const Job& job) {
    JsonWriter out(1);
    out.begin_object();
    auto text = [&](std::string_view key, std::string_view value) {
        out.key(key);
        out.string(value);
    };
    auto integer = [&](std::string_view key, int value) {
        out.key(key);
        out.integer(value);
    };
    auto number = [&](std::string_view key, double value) {
        out.key(key);
        out.number(value);
    };
    text("run", job.run);
    text("stage", job.stage);
    text("use", job.use);
    out.key("settings");
    if (job.settings)
        write_json(out, *job.settings);
    else
        write_json(out, *make_map());
    write_texts(out, "given", job.given);
    out.key("inputs");
    out.begin_object();
    for (const auto& [port, folders] : job.inputs)
        write_paths(out, port, folders);
    out.end_object();
    out.key("outputs");
    out.begin_object();
    for (const auto& [name, folder] : job.outputs)
        text(name, folder.native());
    out.end_object();
    text("work", job.work.native());
    text("records", job.records.native());
    text("cancel", job.cancel.native());
    text("alive", job.alive.native());
    write_paths(out, "plugins", job.plugins);
    out.key("environment");
    out.begin_object();
    for (const auto& [name, value] : job.environment)
        text(name, value);
    out.end_object();
    text("device", job.device);
    integer("ranks", job.ranks);
    integer("threads", job.threads);
    integer("try", job.try_number);
    number("timeout", job.timeout);
    number("beat", job.beat);
    out.key("offline");
    out.boolean(job.offline);
    write_texts(out, "inject", job.inject);
    out.end_object();
    return out.take() + "\n";
}

Job read_job(const fs::path& file) {
    NodePtr root = parse(file);
    Fields fields(file, *root);
    if (!root->is_map())
        fields.refuse("the file", "a map");
    Job job;
    job.run = fields.text("run");
    job.stage = fields.text("stage");
    job.use = fields.text("use");
    fields.value("settings", Kind::map, "a map");
    job.settings = root->get("settings");
    job.given = fields.list<std::string>("given");
    for (const Entry& entry : fields.value("inputs", Kind::map, "a map").entries) {
        if (!entry.value->is_list())
            fields.refuse("inputs", "a map of lists");
        job.inputs[entry.key] = fields.list_of<fs::path>("inputs", *entry.value);
    }
    job.outputs = fields.texts<fs::path>("outputs");
    job.work = fields.text("work");
    job.records = fields.text("records");
    job.cancel = fields.text("cancel");
    job.alive = fields.text("alive");
    job.plugins = fields.list<fs::path>("plugins");
    job.environment = fields.texts<std::string>("environment");
    job.device = fields.text("device");
    job.ranks = fields.count("ranks", 1, kMostRanks);
    job.threads = fields.count("threads", 1, 1 << 16);
    job.try_number = fields.count("try", 1, 1 << 20);
    job.timeout = fields.seconds("timeout");
    job.beat = fields.seconds("beat");
    job.offline = fields.boolean("offline");
    job.inject = fields.list<std::string>("inject");
    return job;
}

}  // namespace stillroom
