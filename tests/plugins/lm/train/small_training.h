#pragma once

#include "plugins/lm/train/state_tensors.h"
#include "plugins/lm/train/state_writer.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace stillroom::lm {

/// The tensors of one part of a training that has two matrices, at a step: which numbers stand in
/// them follows from their names and the step.
class SmallTraining {
public:
    explicit SmallTraining(int part = 0, int parts = 1) : part_(part), parts_(parts) {}

    static float number(const std::string& name, std::int64_t step) {
        return static_cast<float>(name.size()) + static_cast<float>(step) * 100;
    }

    static std::vector<std::string> names() { return {"embed.weight", "layers.0.up.weight"}; }

    static std::vector<std::string> optimizer_names() {
        std::vector<std::string> all;
        for (const std::string& name : names())
            for (const char* end : {".master", ".exp_avg", ".exp_avg_sq"})
                all.push_back(name + end);
        return all;
    }

    static std::vector<TensorInfo> infos(const std::vector<std::string>& names) {
        std::vector<TensorInfo> infos;
        for (const std::string& name : names)
            infos.push_back({name, Dtype::f32, {kRows, 5}});
        return infos;
    }

    StateShare share(std::int64_t step) const {
        auto numbers = std::make_shared<std::map<std::string, std::vector<float>>>();
        StateShare share;
        auto add = [&](std::vector<NewTensor>& to, const std::string& name, std::size_t at) {
            if (static_cast<int>(at) % parts_ != part_)
                return;
            auto& values = (*numbers)[name];
            values.assign(kRows * 5, number(name, step));
            to.push_back(in_memory(infos({name}).front(), std::as_bytes(std::span(values))));
        };
        for (std::size_t i = 0; i < names().size(); ++i)
            add(share.model, names()[i], i);
        for (std::size_t i = 0; i < optimizer_names().size(); ++i)
            add(share.optimizer, optimizer_names()[i], i / 3);
        share.keeps = numbers;
        return share;
    }

    static TrainingPoint point(std::int64_t step) {
        TrainingPoint point;
        point.step = step;
        point.samples = step * 8;
        point.best["lm loss"] = 0.1 + static_cast<double>(step);
        return point;
    }

    static StatePlace place(const std::filesystem::path& work) {
        StatePlace place;
        place.work = work;
        place.stage = "abc";
        place.texts["config.json"] = "{}\n";
        return place;
    }

    static constexpr std::int64_t kRows = 7;

private:
    int part_, parts_;
};

/// Every number of it is of its step.
inline bool is_whole(const FoundState& found) {
    StateTensors tensors = StateTensors::open(found.folder);
    tensors.require(SmallTraining::infos(SmallTraining::names()),
                    SmallTraining::infos(SmallTraining::optimizer_names()));
    bool whole = found.point == SmallTraining::point(found.point.step);
    auto check = [&](const std::string& name, const FolderTensor& tensor) {
        float number = 0;
        read_bytes(tensor, 4 * 11, std::as_writable_bytes(std::span(&number, 1)));
        whole = whole && number == SmallTraining::number(name, found.point.step);
    };
    for (const std::string& name : SmallTraining::names())
        check(name, tensors.model().at(name));
    for (const std::string& name : SmallTraining::optimizer_names())
        check(name, tensors.at(name));
    return whole;
}

}  // namespace stillroom::lm
