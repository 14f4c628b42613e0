"""The player of quizzes: for strangers, on any device, with and without JavaScript."""
