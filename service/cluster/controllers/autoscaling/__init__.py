"""HorizontalPodAutoscaler v2 and VerticalPodAutoscaler: as kube-controller-manager decides."""
