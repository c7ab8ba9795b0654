"""What is happening: runs, their failures and what to do next. Pure; times and dice are arguments."""
