const { ModernFakeTimers } = require('@jest/fake-timers');
