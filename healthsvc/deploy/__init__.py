"""部署 What a site needs to run this: systemd units, a container and its compose file, a wheelhouse for closed networks."""
