#include "broker/metadata/cluster_view.h"

namespace bellwether::broker {

const Broker* ClusterView::FindBroker(BrokerId id) const {
  const auto it = brokers_->find(id);
  return it == brokers_->end() ? nullptr : &it->second;
}

std::shared_ptr<const Topic> ClusterView::FindTopic(std::string_view name) const {
  const auto* topic = topics_.Find(name);
  return topic == nullptr ? nullptr : *topic;
}

std::shared_ptr<const Topic> ClusterView::FindTopic(base::Uuid topic_id) const {
  const std::string* name = topic_names_.Find(topic_id);
  return name == nullptr ? nullptr : FindTopic(std::string_view(*name));
}

const ClusterView::Configs& ClusterView::ConfigsOf(std::string_view topic) const {
  static const Configs kNone;
  const auto* configs = configs_.Find(topic);
  return configs == nullptr ? kNone : **configs;
}

}  // namespace bellwether::broker
