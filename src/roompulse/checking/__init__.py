"""What is wrong with a configuration, a machine or a database, found before it shows at night."""
