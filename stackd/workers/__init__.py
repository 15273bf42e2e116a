"""What runs on every host: observe with the driver, ask the plan, perform one step, report."""
