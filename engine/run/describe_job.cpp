#include "engine/run/describe_job.h"

#include "engine/run/job_fields.h"

namespace stillroom {
namespace fs = std::filesystem;
namespace {

void write_input(JobWriter& out, const DescribeInput& input) {
    out.begin_object();
    if (input.stage.empty()) {
        out.text("path", input.path.native());
    } else {
        out.text("stage", input.stage);
        out.text("output", input.output);
    }
    out.end_object();
}

void write_stage(JobWriter& out, const DescribeStage& stage) {
    out.begin_object();
    out.text("name", stage.name);
    out.text("use", stage.use);
    out.settings(stage.settings);
    out.texts("given", stage.given);
    out.key("inputs");
    out.begin_object();
    for (const auto& [port, inputs] : stage.inputs) {
        out.key(port);
        out.begin_array();
        for (const DescribeInput& input : inputs)
            write_input(out, input);
        out.end_array();
    }
    out.end_object();
    out.texts("outputs", stage.outputs);
    out.text("device", stage.device);
    out.integer("ranks", stage.ranks);
    out.end_object();
}

DescribeInput read_input(const fs::path& file, const Node& map) {
    JobFields fields(file, map);
    DescribeInput input;
    if (map.find("path")) {
        input.path = fields.text("path");
    } else {
        input.stage = fields.text("stage");
        input.output = fields.text("output");
    }
    return input;
}

DescribeStage read_stage(const fs::path& file, const Node& map) {
    JobFields fields(file, map);
    DescribeStage stage;
    stage.name = fields.text("name");
    stage.use = fields.text("use");
    stage.settings = fields.map("settings");
    stage.given = fields.list<std::string>("given");
    for (const Entry& entry : fields.map("inputs")->entries) {
        std::vector<DescribeInput>& inputs = stage.inputs[entry.key];
        for (const NodePtr& item : entry.value->items)
            inputs.push_back(read_input(file, *item));
    }
    stage.outputs = fields.list<std::string>("outputs");
    stage.device = fields.text("device");
    stage.ranks = fields.count("ranks", 1, 1 << 16);
    return stage;
}

}  // namespace

std::string describe_job_text(const DescribeJob& job) {
    JobWriter out;
    out.begin_object();
    out.text("folder", job.folder.native());
    out.text("records", job.records.native());
    out.paths("plugins", job.plugins);
    out.integer("threads", job.threads);
    out.boolean("offline", job.offline);
    out.key("stages");
    out.begin_array();
    for (const DescribeStage& stage : job.stages)
        write_stage(out, stage);
    out.end_array();
    out.end_object();
    return out.take() + "\n";
}

DescribeJob read_describe_job(const fs::path& file) {
    NodePtr root = parse_job_json(read_job_file(file), file);
    JobFields fields(file, *root);
    DescribeJob job;
    job.folder = fields.text("folder");
    job.records = fields.text("records");
    job.plugins = fields.list<fs::path>("plugins");
    job.threads = fields.count("threads", 1, 1 << 16);
    job.offline = fields.boolean("offline");
    for (const NodePtr& item : fields.value("stages", Kind::list, "a list").items)
        job.stages.push_back(read_stage(file, *item));
    return job;
}

fs::path skeleton_folder(const DescribeJob& job, std::size_t stage, const std::string& output) {
    return job.folder / std::to_string(stage) / output;
}

}  // namespace stillroom
