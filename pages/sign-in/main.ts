import '../shared/base.css';
import '../shared/theme';
import { createApp, h } from 'vue';
import { siteName } from '../shared/language';

createApp({ render: () => h('main', [h('h1', siteName.value)]) }).mount('#app');
