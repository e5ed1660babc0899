"""What runs the service for others: the Compose file, and the load balancer's configuration."""
