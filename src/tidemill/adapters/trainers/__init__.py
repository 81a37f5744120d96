"""What runs user code: training, answering, automatic labelling."""
