"""What it takes to ship the service: a balancer's configuration, the image tried for real, its parts audited."""
